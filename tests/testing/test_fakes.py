"""The fakes keep the contracts of what they stand in for."""

from __future__ import annotations

import doctest
import subprocess
import sys
from pathlib import Path

import pytest

from vlmkit.errors import VlmkitError
from vlmkit.protocols import Decoder
from vlmkit.testing import fakes
from vlmkit.testing.fakes import COLOURS, Colour, FakeHead, colours
from vlmkit.types import Generation, Problem, Sample


def test_the_examples_of_the_module_run() -> None:
    assert doctest.testmod(fakes).failed == 0


def test_replies_come_in_order_and_are_remembered() -> None:
    head = FakeHead()
    head.enqueue(Colour("red", 1), Problem("refused", "would not", fatal=True))
    first, second = head.predict_many([Sample("a"), Sample("b")])
    assert first.value == Colour("red", 1)
    assert (second.value, second.problems[0].code) == (None, "refused")
    assert [sample.id for sample in head.history] == ["a", "b"]


def test_a_missing_file_takes_no_reply(tmp_path: Path) -> None:
    head = FakeHead()
    head.enqueue(Colour("red", 1))
    assert head.predict(video=tmp_path / "none.mp4").problems[0].code == "media_missing"
    assert head.predict(text="x").value == Colour("red", 1)


def test_an_empty_queue_says_what_to_do() -> None:
    with pytest.raises(VlmkitError, match="enqueue"):
        FakeHead().predict(text="x")


def test_the_decoder_is_one_and_returns_what_it_encoded() -> None:
    decoder = colours().decoder()
    assert isinstance(decoder, Decoder)
    for name in COLOURS:
        value = Colour(name, 7)
        assert decoder.decode(Generation(decoder.encode(value), "end", 0, 0), Sample("a")).value == value
    assert decoder.decode(Generation("[" * 100_000, "end", 0, 0), Sample("a")).value is None


def test_synth_is_read_back_and_seeded(tmp_path: Path) -> None:
    task = colours()
    for name, seed in (("one", 1), ("same", 1), ("other", 2)):
        task.synth(tmp_path / name, 9, seed, 1)
    truths = {name: [s.truth for s in task.read(tmp_path / name)] for name in ("one", "same", "other")}
    assert truths["one"] == truths["same"] != truths["other"]


def test_the_head_evaluates_itself(tmp_path: Path) -> None:
    head = FakeHead()
    head.task.synth(tmp_path / "data", 3, 0, 1)
    head.enqueue(*(sample.truth for sample in head.task.read(tmp_path / "data")))
    assert head.evaluate(tmp_path / "data").metrics["accuracy"] == 1.0


def test_fakes_need_no_torch() -> None:
    code = "import sys, vlmkit.testing.fakes; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
