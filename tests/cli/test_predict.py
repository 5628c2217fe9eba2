"""`vlmkit predict`."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run
from vlmkit.cli.heads import find_task
from vlmkit.cli.inputs import samples_of
from vlmkit.cli.output import result_file
from vlmkit.errors import MediaError
from vlmkit.testing.fakes import Colour, FakeHead
from vlmkit.types import Problem


def films(folder: Path, *names: str) -> Path:
    """Files that the fake head takes for films."""
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"x")
    return folder


def test_one_file_prints_exactly_the_tasks_json(run: Run, head: FakeHead, film: Path) -> None:
    head.enqueue(Colour("黄色", 3))
    result = run("predict", "colours", "--video", film, "--text", "which?")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {"id": "film", "colour": "黄色", "frame": 3}
    assert "黄色" in result.stdout
    assert result.stderr == ""
    (sample,) = head.history
    assert sample.text == "which?"
    assert sample.modalities == {"video", "text"}


def test_every_option_of_a_head_arrives(run: Run, head: FakeHead, film: Path, calls: list[dict[str, Any]]) -> None:
    head.enqueue(Colour("red", 3))
    options = "--preset tiny --model runs/x --adapter lora --engine vllm --device cpu --precision fp32 --weights random"
    assert run("predict", "colours", "--video", film, *options.split()).exit_code == 0
    assert calls == [
        {
            "name": "colours",
            "preset": "tiny",
            "model": "runs/x",
            "adapter": Path("lora"),
            "engine": "vllm",
            "device": "cpu",
            "precision": "fp32",
            "weights": "random",
            "calibration": "full",
        }
    ]


def test_a_folder_gives_one_line_each_in_the_order_of_names(run: Run, head: FakeHead, tmp_path: Path) -> None:
    folder = films(tmp_path / "in", "b.mp4", "a.MKV", "notes.txt", ".hidden.mp4")
    head.enqueue(Colour("red", 1), Colour("blue", 2))
    result = run("predict", "colours", "--video", folder)
    assert [json.loads(line)["id"] for line in result.stdout.splitlines()] == ["a", "b"]
    assert "1 files are no video" in result.stderr
    assert result.exit_code == 0


def test_a_folder_with_one_film_is_still_lines(run: Run, head: FakeHead, tmp_path: Path) -> None:
    head.enqueue(Colour("red", 1))
    assert len(run("predict", "colours", "--video", films(tmp_path / "in", "a.mp4")).stdout.splitlines()) == 1


def test_names_that_clash_get_longer_ids(run: Run, head: FakeHead, tmp_path: Path) -> None:
    one, two = films(tmp_path / "1", "a.mp4", "a.mov"), films(tmp_path / "2", "a.mp4")
    head.enqueue(*[Colour("red", 1)] * 3)
    result = run("predict", "colours", "--video", one)
    assert [json.loads(line)["id"] for line in result.stdout.splitlines()] == ["a.mov", "a.mp4"]
    head.enqueue(*[Colour("red", 1)] * 2)
    result = run("predict", "colours", "--video", one / "a.mp4", "--video", two / "a.mp4")
    assert [json.loads(line)["id"] for line in result.stdout.splitlines()] == [f"{one}/a.mp4", f"{two}/a.mp4"]


def test_the_same_file_twice_is_wrong_usage(run: Run, film: Path) -> None:
    assert run("predict", "colours", "--video", film, "--video", film).exit_code == 2


def test_a_bad_sample_spoils_nothing_and_gives_code_1(run: Run, head: FakeHead, tmp_path: Path, film: Path) -> None:
    head.enqueue(Colour("red", 1))
    result = run("predict", "colours", "--video", tmp_path / "none.mp4", "--video", film)
    assert result.exit_code == 1
    assert json.loads(result.stdout)["id"] == "film"
    assert "none: media_missing" in result.stderr


def test_each_line_of_a_folder_names_its_sample_and_the_missing_one_is_said(
    run: Run, head: FakeHead, tmp_path: Path
) -> None:
    folder = films(tmp_path / "in", "a.mp4", "b.mp4", "c.mp4")
    bad = Problem("media_not_media", "it is no film of the kinds we open", "video", fatal=True)
    head.enqueue(Colour("red", 1), bad, Colour("blue", 2))
    result = run("predict", "colours", "--video", folder)
    assert result.exit_code == 1
    assert [json.loads(line)["id"] for line in result.stdout.splitlines()] == ["a", "c"]
    assert result.stderr == "vlmkit: b: media_not_media: it is no film of the kinds we open\n"


def test_nothing_but_bad_samples_gives_code_3(run: Run, tmp_path: Path) -> None:
    result = run("predict", "colours", "--video", tmp_path / "none.mp4")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "none.mp4: missing: there is no such file" in result.stderr


def test_an_empty_folder_is_a_media_error(run: Run, tmp_path: Path, calls: list[Any]) -> None:
    (tmp_path / "in").mkdir()
    result = run("predict", "colours", "--video", tmp_path / "in")
    assert result.exit_code == 3
    assert "in: empty: no video file in this folder" in result.stderr
    assert calls == []  # and no model was loaded for it


def test_record_format_holds_the_whole_prediction(run: Run, head: FakeHead, tmp_path: Path, film: Path) -> None:
    head.enqueue(Colour("red", 1))
    none = tmp_path / "none.mp4"
    result = run("predict", "colours", "--format", "record", "--video", film, "--video", none)
    good, bad = (json.loads(line) for line in result.stdout.splitlines())
    assert good["value"] == {"name": "red", "frame": 1}
    assert good["provenance"] == {"preset": "tiny", "synthetic": True}
    assert good["used"] == ["video"]
    assert bad["value"] is None
    assert bad["problems"][0]["code"] == "media_missing"
    assert bad["problems"][0]["fatal"] is True


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--audio", "x.wav"], "does not read audio; it takes --text --video"),
        (["--image", "x.png", "--video", "y.mp4"], "does not read image"),
        (["--text", "hello"], "needs --video"),
        ([], "needs --video"),
    ],
)
def test_a_modality_that_does_not_fit_is_refused_by_name(
    run: Run, calls: list[Any], arguments: list[str], message: str
) -> None:
    result = run("predict", "colours", *arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
    assert calls == []


def test_a_file_is_written_whole(run: Run, head: FakeHead, tmp_path: Path, film: Path) -> None:
    head.enqueue(Colour("red", 1))
    out = tmp_path / "answer.json"
    result = run("predict", "colours", "--video", film, "-o", out)
    assert (result.exit_code, result.stdout) == (0, "")
    assert json.loads(out.read_text(encoding="utf-8"))["colour"] == "red"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["answer.json", "film.mp4"]


def test_a_run_that_breaks_off_leaves_the_old_file(run: Run, head: FakeHead, tmp_path: Path, film: Path) -> None:
    out = tmp_path / "answer.json"
    out.write_text("old", encoding="utf-8")
    head.enqueue(Colour("red", 1))  # and none for the second
    other = films(tmp_path / "in", "other.mp4") / "other.mp4"
    result = run("predict", "colours", "--video", film, "--video", other, "-o", out)
    assert result.exit_code == 3
    assert out.read_text(encoding="utf-8") == "old"
    assert not list(tmp_path.glob(".answer*"))


def test_no_value_at_all_leaves_no_empty_file(run: Run, head: FakeHead, tmp_path: Path, film: Path) -> None:
    head.enqueue(Problem("refused", "would not", fatal=True))
    assert run("predict", "colours", "--video", film, "-o", tmp_path / "a.json").exit_code == 3
    assert not (tmp_path / "a.json").exists()


def test_a_folder_that_is_not_there_is_named(run: Run, head: FakeHead, tmp_path: Path, film: Path) -> None:
    result = run("predict", "colours", "--video", film, "-o", tmp_path / "no" / "a.json")
    assert result.exit_code == 3
    assert result.stderr == f"vlmkit: {tmp_path}/no: no such folder to write to\n"
    assert head.history == []


def test_a_device_is_written_to_and_not_replaced() -> None:
    null = Path("/dev/null")
    with result_file(null) as file:
        file.write("x")
    assert stat.S_ISCHR(null.stat().st_mode)


def test_a_link_stays_a_link_and_permissions_stay(tmp_path: Path) -> None:
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    real.write_text("old", encoding="utf-8")
    real.chmod(0o640)
    link.symlink_to(real)
    with result_file(link) as file:
        file.write("new")
    assert link.is_symlink()
    assert real.read_text(encoding="utf-8") == "new"
    assert stat.S_IMODE(real.stat().st_mode) == 0o640


def test_a_missing_picture_leaves_words_that_can_be_answered_about(tmp_path: Path) -> None:
    """As `Head.predict` does: the problem is said with the answer."""
    memes = find_task("memes")
    (sample,) = samples_of(memes, {"image": [tmp_path / "none.png"]}, "so lovely")
    assert (sample.id, sample.text) == ("none", "so lovely")
    for words in (None, " "):
        with pytest.raises(MediaError, match="nothing else was given"):
            samples_of(memes, {"image": [tmp_path / "none.png"]}, words)
