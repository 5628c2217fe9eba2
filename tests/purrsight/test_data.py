from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

import pytest

from tests.purrsight.reports import ALARMED, BLANK, fields, report
from vlmkit.errors import DataError, MediaError
from vlmkit.types import Clip, Image, Media, Modality, Sample, Sound
from vlmkit_plugins.purrsight.data import absent, group, labels, read, write_manifest
from vlmkit_plugins.purrsight.synth import tell

SILENT = fields(vocalization="not_observed")  # what a picture alone can tell
HEARD = fields(ears="not_observed", tail="not_observed", posture="not_observed")


def row(**changes: Any) -> dict[str, Any]:
    given = {"id": "a", "image": "images/a.png", "truth": SILENT, **changes}
    return {key: value for key, value in given.items() if value is not ...}


def listing(path: Path, *lines: str | dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    path.write_text(text, encoding="utf-8")
    return path.parent


def manifest(folder: Path, *lines: str | dict[str, Any]) -> Path:
    return listing(folder / "manifest.jsonl", *lines)


def test_rows_become_samples_in_their_order(tmp_path: Path) -> None:
    everything = row(id="b", audio="b.wav", video="b.mp4", text="it purrs", truth=fields(), meta={"owner": "x"})
    second = {"id": "c", "text": " Hm. "}
    manifest(tmp_path, everything, "", second)
    first, last = read(tmp_path)
    assert first.media == {
        "image": Image(tmp_path / "images" / "a.png"),
        "audio": Sound(tmp_path / "b.wav"),
        "video": Clip(tmp_path / "b.mp4"),
    }
    assert (first.id, first.text, first.truth, first.meta) == ("b", "it purrs", report(), {"owner": "x"})
    assert (last.id, last.text, last.truth, last.media) == ("c", " Hm. ", None, {})


def test_what_is_written_is_read(tmp_path: Path) -> None:
    assert write_manifest(tmp_path, [row()]) == tmp_path / "manifest.jsonl"
    assert [sample.id for sample in read(tmp_path)] == ["a"]
    assert [sample.id for sample in read(tmp_path / "manifest.jsonl")] == ["a"]
    assert os.listdir(tmp_path) == ["manifest.jsonl"]


def test_synthetic_truths_are_legal(tmp_path: Path) -> None:
    names = {"image": "a.jpg", "audio": "a.wav", "video": "a.mp4", "text": "words"}
    rows = []
    for index in range(300):
        story = tell(0, index)
        brings = [m for m in story.modalities if m != "audio" or "video" not in story.modalities]
        rows.append({"id": str(index), **{m: names[m] for m in brings}, "truth": story.truth})
    manifest(tmp_path, *rows)
    assert [sample.truth for sample in read(tmp_path)] == [type(report()).model_validate(r["truth"]) for r in rows]


def test_unknown_labels_are_counted_over_the_whole_file(tmp_path: Path) -> None:
    up, sad = fields(ears="up"), fields(affective_state="sad", ears="up")
    manifest(tmp_path, row(truth=up), row(id="b"), row(id="c", truth=sad))
    with pytest.raises(DataError) as error:
        read(tmp_path)
    assert "manifest.jsonl: unknown labels: affective_state 'sad' x1, ears 'up' x2; known" in str(error.value)
    assert "ears: forward, sideways, flattened, alert, not_observed; affective_state: content" in str(error.value)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", r"manifest\.jsonl:2: not JSON"),
        ({"image": "a.png"}, ":2: id: wanted a non-empty string"),
        ({"id": "b"}, ":2: nothing to look at; wanted one of image, audio, video, text"),
        ({"id": "b", "text": " "}, ":2: text: wanted a non-empty string"),
        ({"id": "b", "audio": 3}, ":2: audio: wanted a non-empty string"),
        (row(image="c.png"), ":2: id 'a' already stands in line 1"),
        (row(id="b", label="calm"), r":2: unknown keys \['label'\]"),
        (row(id="b", meta=[1]), ":2: meta: wanted an object"),
        (row(id="b", truth="calm"), ":2: truth: report: "),
        (row(id="b", truth={**SILENT, "behavioral_summary": ""}), ":2: truth: behavioral_summary: "),
        (row(id="b", truth=fields(vocalization="not_observed", risk_rating=4)), ":2: truth: .*risk_rating of social"),
        (row(id="b", truth=fields()), ":2: truth: .*vocalization: image cannot show 'purr'; write 'not_observed'"),
        (row(id="b", image=..., audio="a.wav", truth=fields()), ":2: truth: .*ears: audio cannot show 'forward'"),
        (row(id="b", image="/etc/passwd"), ":2: image: wanted a path inside"),
        (row(id="b", audio="../a.wav"), ":2: audio: wanted a path inside"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str | dict[str, Any], says: str) -> None:
    with pytest.raises(DataError, match=says):
        read(manifest(tmp_path, row(), line))


def test_a_folder_of_media_gives_samples_without_truth(tmp_path: Path) -> None:
    for name in ("b.mp4", "a.PNG", "a.wav", "c.m4a", "notes.txt"):
        (tmp_path / name).touch()
    found = list(read(tmp_path))
    assert [(sample.id, *sample.media) for sample in found] == [
        ("a.PNG", "image"),
        ("a.wav", "audio"),
        ("b", "video"),
        ("c", "audio"),
    ]
    assert all(sample.truth is None for sample in found)


def test_folders_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "file.csv").touch()
    (tmp_path / "sub").mkdir()
    for name, reason in (("gone", "missing"), ("sub", "empty"), ("file.csv", "unreadable")):
        with pytest.raises(MediaError) as error:
            read(tmp_path / name)
        assert (error.value.reason, error.value.source) == (reason, str(tmp_path / name))
    with pytest.raises(DataError, match="holds no line"):
        read(manifest(tmp_path / "sub", ""))


def instruction(truth: dict[str, Any], **files: str) -> dict[str, Any]:
    asked = "Analyze the cat's behavior according to the Ethogram. Output valid JSON only."
    return {"instruction": asked, "response": json.dumps(truth, ensure_ascii=False), **files}


def test_instructions_of_the_first_purrsight(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    listing(
        tmp_path / "train.jsonl",
        instruction(fields(), image="cat.png"),
        instruction(fields(ALARMED), audio="cat.wav"),
        instruction(fields(), video="cat.mp4"),
        instruction(fields()),
    )
    with caplog.at_level(logging.WARNING, "vlmkit"):
        image, audio, video, text = read(tmp_path)
    assert [one.id for one in (image, text)] == ["train-000001", "train-000004"]
    assert image.media == {"image": Image(tmp_path / "cat.png")}
    assert (image.truth, image.text) == (report(vocalization="not_observed"), None)
    assert image.meta["guesses"] == ("vocalization",)
    assert image.meta["instruction"].startswith("Analyze the cat")
    assert audio.truth == report(ALARMED, ears="not_observed", tail="not_observed", posture="not_observed")
    assert (video.truth, video.meta["guesses"]) == (report(), ())  # a film may bring its sound
    assert (text.truth, text.media) == (report(), {})
    assert str(text.text).startswith("Analyze")
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 4
    assert said[0] == f"{tmp_path / 'train.jsonl'}: vocalization is a guess in 1 of 4 rows; read as not_observed"


def test_paths_may_go_up_as_long_as_they_stay_in_the_data_folder(tmp_path: Path) -> None:
    folder = listing(tmp_path / "phase2" / "train.jsonl", instruction(fields(), image="../cat.png"))
    (sample,) = read(tmp_path)
    assert sample.media == {"image": Image(tmp_path / "cat.png")}
    for given in (folder, folder / "train.jsonl"):
        with pytest.raises(DataError, match=rf"train.jsonl:1: image: '../cat.png' leaves .*--data {tmp_path}\)"):
            read(given)
    for name in ("/etc/passwd", "../../cat.png", "..\\..\\cat.png"):
        listing(tmp_path / "phase2" / "train.jsonl", instruction(fields(), image=name))
        with pytest.raises(DataError, match=r"train\.jsonl:1: image: .* leaves"):
            read(tmp_path)
    (tmp_path / "link.png").symlink_to("/etc/passwd")
    listing(tmp_path / "phase2" / "train.jsonl", instruction(fields(), image="../link.png"))
    with pytest.raises(DataError, match="is a link that leaves"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ({"instruction": "x"}, ":1: response: wanted a non-empty string"),
        ({"response": "{}"}, ":1: instruction: wanted a non-empty string"),
        ({"instruction": "x", "response": "The cat is calm."}, ":1: response: wanted the answer as a JSON text"),
        (instruction({**fields(), "note": "x"}), ":1: response: note: Extra"),
        (instruction(fields(risk_rating=3)), ":1: response: diagnostic.classification: risk_rating of"),
        (instruction(fields(tail="down")), "train.jsonl: unknown labels: tail 'down' x1"),
        ({**instruction(fields()), "text": "x"}, r":1: unknown keys \['text'\]"),
    ],
)
def test_a_bad_instruction_is_named(tmp_path: Path, line: dict[str, Any], says: str) -> None:
    with pytest.raises(DataError, match=says):
        read(listing(tmp_path / "train.jsonl", line))


def test_captions_for_alignment(tmp_path: Path) -> None:
    one, two = {"text": "cat sitting calmly", "image": "cat.png"}, {"text": "a sound of cat", "audio": "../x/c.wav"}
    listing(tmp_path / "x" / "align_v0.jsonl", one, two)
    first, second = read(tmp_path)
    assert (first.id, first.text, first.truth) == ("align_v0-000001", "cat sitting calmly", None)
    assert second.media == {"audio": Sound(tmp_path / "x" / "c.wav")}
    with pytest.raises(DataError, match=r"align_v0\.jsonl:1: text: wanted"):
        read(listing(tmp_path / "x" / "align_v0.jsonl", {"image": "cat.png"}))


def test_two_listings_are_one_too_many(tmp_path: Path) -> None:
    listing(tmp_path / "phase1" / "align.jsonl", {"text": "x"})
    listing(tmp_path / "phase2" / "train.jsonl", instruction(fields()))
    with pytest.raises(DataError, match=r"holds phase1/align\.jsonl, phase2/train\.jsonl; give the one"):
        read(tmp_path)
    assert len(list(read(tmp_path / "phase2"))) == 1
    assert (
        len(list(read(listing(tmp_path / "train.jsonl", instruction(fields()))))) == 1
    )  # the folder's own comes first


def test_samples_with_equal_markers_or_captions_are_of_one_group() -> None:
    one, other = Sample("a", truth=report()), Sample("b", truth=report(affective_state="playful"))
    assert group(one) == group(other) == "forward|upright|relaxed|purr"
    assert group(Sample("c", truth=report(ears="alert"))) != group(one)
    assert group(Sample("d", truth=report(BLANK))) is None
    assert (
        group(Sample("e", text="A sound of  Cat"))
        == group(Sample("f", text="a sound of cat "))
        == "text:a sound of cat"
    )
    assert group(Sample("g")) is None


def test_each_medium_is_asked_for_what_it_shows() -> None:
    seen = {"ears": "forward", "tail": "upright", "posture": "relaxed"}
    heard = {"vocalization": "purr"}
    picture, recording, film = Image("a.png"), Sound("a.wav"), Clip("a.mp4")
    assert labels(Sample("a", {"image": picture, "audio": recording}, truth=report())) == {
        "image": seen,
        "audio": heard,
    }
    assert labels(Sample("a", {"video": film}, truth=report())) == {"video": seen, "audio": heard}
    assert labels(Sample("a", {"image": picture}, "it purrs", report())) == {"image": seen}  # only the text told that
    partly = report(tail="not_observed", vocalization="not_observed")
    assert labels(Sample("a", {"video": film}, truth=partly)) == {"video": {"ears": "forward", "posture": "relaxed"}}
    assert labels(Sample("a", text="x", truth=partly)) == {"text": {"ears": "forward", "posture": "relaxed"}}
    assert labels(Sample("a", {"image": picture})) == {}


def test_what_nothing_in_a_sample_can_show() -> None:
    film: dict[Modality, Media] = {"video": Clip("a.mp4")}
    mute = report(vocalization="not_observed")
    assert absent(Sample("a", {"image": Image("a.png")}, truth=mute)) == ("vocalization",)
    assert absent(Sample("a", {"audio": Sound("a.wav")})) == ("ears", "tail", "posture")
    assert absent(Sample("a", {"audio": Sound("a.wav")}, "words")) == ()
    assert absent(Sample("a", film, truth=report())) == absent(Sample("a", film)) == ()
    assert absent(Sample("a", film, truth=mute)) == ("vocalization",)
