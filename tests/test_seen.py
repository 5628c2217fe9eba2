"""The record of training samples: what meets it, what does not, and its file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from vlmkit.errors import CheckpointError
from vlmkit.seen import Seen
from vlmkit.types import Clip, Image, Sample, Sound


def picture(folder: Path, name: str, content: bytes) -> Image:
    path = folder / name
    path.write_bytes(content)
    return Image(path)


def learned(folder: Path) -> list[Sample]:
    return [
        Sample("a", {"image": picture(folder, "a.png", b"one")}, "words"),
        Sample("b", {"image": picture(folder, "b.png", b"two")}, "words"),
        Sample("c", {"video": Clip(folder / "a.png", start_s=0, end_s=5)}),
        Sample("d", {"audio": Sound(np.zeros((1, 4), np.float32), rate_hz=8)}),
    ]


def test_a_sample_is_met_by_its_name_or_by_what_is_in_it(tmp_path: Path) -> None:
    seen = Seen.of(learned(tmp_path))
    same = Sample("other", {"image": picture(tmp_path, "copy.png", b"one")}, "words")
    new = Sample("new", {"image": picture(tmp_path, "new.png", b"three")}, "words")
    found = seen.meets([Sample("a", {"image": new.media["image"]}), same, new])
    assert (found.ids, found.contents) == (("a",), ("other",))
    assert found
    assert not seen.meets([new])


def test_a_picture_with_other_words_is_another_sample(tmp_path: Path) -> None:
    seen = Seen.of(learned(tmp_path))
    assert not seen.meets([Sample("x", {"image": Image(tmp_path / "a.png")}, "other words")])
    assert not seen.meets([Sample("x", {"image": Image(tmp_path / "a.png")})])
    assert not seen.meets([Sample("x", text="words")])


def test_another_window_of_a_film_is_another_sample(tmp_path: Path) -> None:
    seen = Seen.of(learned(tmp_path))
    assert seen.meets([Sample("x", {"video": Clip(tmp_path / "a.png", start_s=0.0, end_s=5.0)})]).contents == ("x",)
    assert not seen.meets([Sample("x", {"video": Clip(tmp_path / "a.png", start_s=5, end_s=10)})])


def test_what_cannot_be_read_or_is_empty_meets_nobody(tmp_path: Path) -> None:
    nothing = [Sample("gone", {"image": Image(tmp_path / "gone.png")}), Sample("empty", text=" ")]
    seen = Seen.of(nothing)
    assert (len(seen.ids), len(seen.contents)) == (2, 0)
    assert not seen.meets([Sample("gone too", {"image": Image(tmp_path / "gone.png")}), Sample("empty too")])


def test_the_file_brings_the_record_back(tmp_path: Path) -> None:
    samples = learned(tmp_path)
    seen = Seen.of(samples)
    path = seen.write(tmp_path / "seen.dat")
    assert path.stat().st_size < 16 * len(samples) + 80
    again = Seen.read(path)
    assert again.meets(samples) == seen.meets(samples)
    assert again.complete
    assert Seen.of(samples[::-1]).write(tmp_path / "two.dat").read_bytes() == path.read_bytes()  # in any order


def test_two_records_make_one_that_is_complete_if_both_are(tmp_path: Path) -> None:
    first, second = (Seen.of([sample]) for sample in learned(tmp_path)[:2])
    both = first | second
    assert both.meets(learned(tmp_path)).ids == ("a", "b")
    assert both.complete
    part = Seen(first.ids, first.contents, complete=False)
    assert not (part | second).complete
    assert not Seen.read((part | second).write(tmp_path / "part.dat")).complete


@pytest.mark.parametrize(
    "content", [b"", b"{}\n", b'{"format": 1, "ids": 2, "contents": 0, "complete": true}\n12345678', b"\xff\n"]
)
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "seen.dat").write_bytes(content)
    with pytest.raises(CheckpointError, match="damaged"):
        Seen.read(tmp_path / "seen.dat")
    with pytest.raises(CheckpointError):
        Seen.read(tmp_path / "none.dat")


def test_odd_ids_are_ids(tmp_path: Path) -> None:
    odd = [Sample("\ud800"), Sample("שלום 🙂"), Sample("")]
    assert Seen.of(odd).meets(odd).ids == ("\ud800", "שלום 🙂", "")


def test_it_needs_no_torch() -> None:
    code = (
        "import sys, vlmkit.seen, vlmkit.calibration; sys.exit(bool({'torch', 'sklearn', 'scipy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
