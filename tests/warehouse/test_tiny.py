"""The shipped head, as a user meets it: through `vlmkit.load` and the command line, on films on disk."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import vlmkit
from vlmkit.cli import app
from vlmkit.errors import BudgetError
from vlmkit.head import Head
from vlmkit.types import Clip, Limits, Prompt, Sample, Slot
from vlmkit_plugins.warehouse.data import read
from vlmkit_plugins.warehouse.head import prompt
from vlmkit_plugins.warehouse.metrics import row
from vlmkit_plugins.warehouse.schema import OPERATIONS, OperationSpan
from vlmkit_plugins.warehouse.synth import synth, write_film

N = 24


@pytest.fixture(scope="module")
def head() -> Head[Any]:
    return vlmkit.load("warehouse", preset="tiny", device="cpu")


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("clips")
    synth(folder, N, 424_242, 1)
    return folder


def test_it_is_right_about_fresh_clips(head: Head[Any], clips: Path) -> None:
    """A floor that a broken file, prompt or sampler would fall through; `vlmkit bench warehouse_tiny` measures."""
    samples = list(read(clips))
    found = list(head.predict_many(samples))
    rows = [
        row(OperationSpan.model_validate(sample.truth), one.value) for sample, one in zip(samples, found, strict=True)
    ]
    means = {name: float(np.mean([r[name] for r in rows])) for name in ("OCA", "tIoU@0.5", "AA@1")}
    assert all(one.value is not None for one in found)
    assert means["OCA"] >= 0.85
    assert means["tIoU@0.5"] >= 0.85
    assert means["AA@1"] >= 0.5
    assert all(0 < one.confidence["reply"] <= 1 for one in found)


def test_the_answer_follows_the_frames_and_nothing_else(head: Head[Any], clips: Path) -> None:
    first, second = list(read(clips))[:2]
    a, b = head.predict_many([first, second])
    assert a.value != b.value
    swapped = replace(first, media=second.media, meta={}, truth=None)
    assert next(head.predict_many([swapped])).value == b.value


def test_batches_and_singles_agree(head: Head[Any], clips: Path) -> None:
    samples = list(read(clips))[:5]
    together = [one.raw for one in head.predict_many(samples, batch_size=5)]
    assert together == [one.raw for one in head.predict_many(samples, batch_size=1)]


def test_every_answer_says_what_made_it(head: Head[Any], clips: Path) -> None:
    film = next((clips / "videos").iterdir())
    one = head.predict(video=film)
    assert one.provenance["inputs"] == {"video": str(film)}
    assert datetime.fromisoformat(one.provenance["timestamp"]).tzinfo is not None
    assert one.provenance["synthetic"] is True
    assert one.provenance["preset"] == "tiny"
    assert one.provenance["specs"]["video"]["fps"] == 2.0
    assert one.used == ("video",)
    assert set(one.timing_s) == {"prepare", "encode", "generate"}


def test_the_prompt_names_every_operation_and_the_reader_knows_them() -> None:
    asked: Prompt = prompt(Sample("x"))
    text = " ".join(part for message in asked.messages for part in message.parts if isinstance(part, str))
    assert all(operation in text for operation in OPERATIONS)
    assert sum(isinstance(part, Slot) for message in asked.messages for part in message.parts) == 1


def test_a_budget_that_could_cut_a_reply_is_refused(head: Head[Any], clips: Path) -> None:
    with pytest.raises(BudgetError, match="max_new_tokens=20"):
        head.predict(video=next((clips / "videos").iterdir()), limits=Limits(20))


@pytest.mark.parametrize(
    ("n", "height", "width", "fps"),
    [(1, 120, 160, 25.0), (13, 120, 160, 25.0), (75, 240, 320, 15.0), (90, 320, 180, 30.0), (30, 16, 1600, 25.0)],
    ids=["one frame", "half a second", "kinect", "upright", "a strip"],
)
def test_odd_films_get_an_answer_or_a_typed_problem(
    head: Head[Any], n: int, height: int, width: int, fps: float
) -> None:
    frames = np.random.default_rng(0).integers(0, 255, (n, height, width, 3), dtype=np.uint8)
    one = head.predict(video=Clip(frames, fps=fps))
    if one.value is None:
        assert any(problem.fatal and problem.code and problem.message for problem in one.problems)
    else:
        assert OperationSpan.model_validate(one.value.model_dump()) == one.value
        assert one.value.temporal_segment.end_frame <= round(n / fps * 25)


@pytest.fixture
def mixed(clips: Path, tmp_path: Path) -> Path:
    """Two good films among seven that cannot be used."""
    folder = tmp_path / "mixed"
    folder.mkdir()
    good = sorted((clips / "videos").iterdir())[:2]
    shutil.copy(good[0], folder / "good.mp4")
    shutil.copy(good[1], folder / "also good.mp4")
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "text.mp4").write_text("this is no film", encoding="utf-8")
    (folder / "cut.mp4").write_bytes(good[0].read_bytes()[:3000])
    (folder / "folder.mp4").mkdir()
    return folder


def test_bad_films_are_said_and_the_others_answered(mixed: Path, tmp_path: Path) -> None:
    out = tmp_path / "answers.jsonl"
    films = sorted(str(path) for path in mixed.iterdir())
    unreadable = [str(mixed / "missing.mp4"), str(mixed / f"{'x' * 300}.mp4")]  # no system takes the second name
    arguments = [part for film in [*films, *unreadable] for part in ("--video", film)]
    done = CliRunner().invoke(
        app,
        [
            "predict",
            "warehouse",
            "--preset",
            "tiny",
            "--device",
            "cpu",
            "--format",
            "record",
            *arguments,
            "-o",
            str(out),
        ],
    )
    records = {r["sample_id"]: r for r in map(json.loads, out.read_text(encoding="utf-8").splitlines())}
    assert done.exit_code == 1
    assert {name for name, record in records.items() if record["value"]} == {"good", "also good"}
    reasons = {name: [p["code"] for p in r["problems"] if p["fatal"]] for name, r in records.items() if not r["value"]}
    assert reasons["empty"] == ["media_empty"]
    assert reasons["text"] == ["media_not_media"]
    assert reasons["missing"] == ["media_missing"]
    assert all(code[0].startswith("media_") for code in reasons.values())


def test_nothing_usable_is_exit_code_3(mixed: Path, tmp_path: Path) -> None:
    command = ["predict", "warehouse", "--preset", "tiny", "--device", "cpu", "--video"]
    assert CliRunner().invoke(app, [*command, str(mixed / "text.mp4")]).exit_code == 3
    assert CliRunner().invoke(app, [*command, str(mixed / "missing.mp4")]).exit_code == 3
    (tmp_path / "nothing").mkdir()
    assert CliRunner().invoke(app, [*command, str(tmp_path / "nothing")]).exit_code == 3


def test_a_long_film_is_cut_and_says_so(head: Head[Any], clips: Path, tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 255, (200, 120, 160, 3), dtype=np.uint8)
    write_film(tmp_path / "long.mp4", frames)  # 8 s
    one = head.predict(video=tmp_path / "long.mp4")
    assert "clip_cut" in [problem.code for problem in one.problems if not problem.fatal]


@pytest.mark.parametrize(("n", "answered"), [(124, 8), (100, 6), (60, 3)])
def test_a_clip_shorter_than_five_seconds_is_answered_inside_it(
    head: Head[Any], clips: Path, n: int, answered: int
) -> None:
    """The grammar knows the clip's length: one frame too many would cost the whole answer.

    The head was trained on full clips only, so on short ones it may still put the start behind the end.
    """
    samples = [replace(s, media={"video": replace(_clip(s), end_s=n / 25)}, meta={}) for s in list(read(clips))[:8]]
    found = list(head.predict_many(samples))
    ends = [one.value.temporal_segment.end_frame for one in found if one.value is not None]
    assert all(end <= n for end in ends)
    codes = [problem.code for one in found for problem in one.problems if problem.fatal]
    assert set(codes) <= {"segment_order"}
    assert len(ends) >= answered


def _clip(sample: Sample) -> Clip:
    clip = sample.media["video"]
    assert isinstance(clip, Clip)
    return clip


def test_answers_before_a_mistake_are_not_lost(head: Head[Any], clips: Path) -> None:
    good = list(read(clips))[:3]

    def samples() -> Any:
        yield from good
        raise OSError("the disk is gone")

    answered = []
    with pytest.raises(OSError, match="the disk is gone"):
        for one in head.predict_many(samples(), batch_size=2):
            answered.append(one.sample_id)
    assert answered == [sample.id for sample in good]


def test_half_consumed_answers_leave_no_thread_behind(head: Head[Any], clips: Path) -> None:
    import threading

    before = threading.active_count()
    answers = head.predict_many(read(clips), batch_size=2)
    next(answers)
    answers.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


@pytest.mark.slow
def test_the_promised_figures_on_200_fresh_clips(head: Head[Any], tmp_path: Path) -> None:
    from vlmkit_plugins.warehouse.grammar import grammar_ceiling

    synth(tmp_path / "fresh", 200, 987_654, 2)
    report = head.evaluate(tmp_path / "fresh")
    assert report.metrics["OCA"] >= 0.95
    assert report.metrics["tIoU@0.5"] >= 0.90
    assert report.metrics["AA@1"] >= grammar_ceiling(read(tmp_path / "fresh")).oracle - 0.05
