"""Engines compared step by step: what is equal, where it parts, and what cannot be told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.scripted import Letters, ScriptedEngine, head, silent, spoken, written
from vlmkit.errors import DataError, WiringError
from vlmkit.parity import Parity, Record, Row, Told, compare, compare_records, read, recorded, told
from vlmkit.types import ROW, Generation, Limits, Problem, Sample

ASKED = "Which colour?"


def _samples(*texts: str) -> list[Sample]:
    return [Sample(f"s{index}", text=text) for index, text in enumerate(texts)]


def _compared(one: Sequence[Generation], other: Sequence[Generation], **options: Any) -> Parity:
    heads = {
        "local": head(ScriptedEngine(one, Letters())),
        "vllm": head(ScriptedEngine(other, Letters()), "vllm"),
    }
    return compare(heads, _samples(*[f"which {index}?" for index in range(len(one))]), **options)


def _row(one: Generation, other: Generation) -> Row:
    (row,) = _compared([one], [other]).rows
    return row


def test_engines_that_say_the_same_agree_in_everything() -> None:
    found = _compared([spoken("red"), spoken("blue")], [spoken("red"), spoken("blue")])
    assert found.agrees
    for row in found.rows:
        assert (row.prompt, row.grids, row.tokens, row.text, row.value) == (True,) * 5
        assert (row.prompt_at, row.token_at, row.gap) == (None, None, 0.0)


def test_a_prompt_that_was_read_otherwise_is_found_at_its_place() -> None:
    row = _row(spoken("red", asked="Which colour?"), spoken("red", asked="Which color?"))
    assert row.prompt is False
    assert row.prompt_at is not None
    assert (row.prompt_at.at, row.prompt_at.reference, row.prompt_at.other) == (10, "'u'", "'r'")
    assert (row.tokens, row.value) == (True, True)


def test_a_prompt_that_goes_on_longer_is_another() -> None:
    one = replace(spoken("red"), prompt_ids=(*map(ord, ASKED), ROW))
    row = _row(one, spoken("red"))
    assert row.prompt_at is not None
    assert (row.prompt_at.at, row.prompt_at.reference, row.prompt_at.other) == (len(ASKED), "(row)", "(end)")


def test_other_pixel_grids_are_found() -> None:
    row = _row(spoken("red"), spoken("red", grids=((2, 4, 6),)))
    assert (row.grids, row.prompt, row.tokens) == (False, True, True)


def test_the_first_token_that_differs_is_told_with_its_margin_though_the_value_is_the_same() -> None:
    row = _row(written('{"name": "red", "frame": 1}'), written('{"name":"red","frame":1}'))
    assert (row.tokens, row.text, row.value) == (False, False, True)
    assert row.token_at is not None
    assert (row.token_at.at, row.token_at.reference, row.token_at.other) == (8, "' '", "'\"'")
    assert row.token_at.margin == 0.25
    assert row.gap == 0.0


def test_the_gap_is_that_of_the_tokens_before_they_part() -> None:
    other = written('{"name":"red","frame":1}')
    apart = (-0.5,) * 5 + (-0.7,) + (-0.5,) * 2 + (-9.0,) * (other.n_new - 8)
    row = _row(written('{"name": "red", "frame": 1}'), replace(other, logprobs=apart))
    assert row.gap == pytest.approx(0.2)


def test_another_value_is_a_difference() -> None:
    found = _compared([spoken("red"), spoken("red")], [spoken("red"), spoken("blue")])
    assert [row.value for row in found.rows] == [True, False]
    assert not found.agrees


def test_what_an_engine_cannot_tell_is_never_equal() -> None:
    row = _row(spoken("red"), silent(spoken("red")))
    assert (row.prompt, row.grids, row.tokens, row.gap) == (None, None, None, None)
    assert (row.text, row.value) == (True, True)
    lines = str(_compared([spoken("red"), spoken("red")], [silent(spoken("red")), spoken("blue")])).splitlines()
    (counts,) = [line for line in lines if line.startswith("vllm ") and "/" in line]
    assert counts.split() == ["vllm", "1/1", "1/1", "0/1", "1/2", "1/2"]


def test_two_silent_engines_prove_nothing_about_tokens() -> None:
    row = _row(silent(spoken("red")), silent(spoken("red")))
    assert (row.prompt, row.grids, row.tokens, row.value) == (None, None, None, True)


def test_a_reply_that_ended_and_one_that_was_cut_part_at_their_ends() -> None:
    row = _row(spoken("red"), spoken("red", stop="length"))
    assert row.tokens is False
    assert row.token_at is not None
    assert (row.token_at.at, row.token_at.reference, row.token_at.other) == (spoken("red").n_new, "(end)", "(budget)")


def test_a_reply_that_ends_where_the_other_goes_on_says_so() -> None:
    longer = written(spoken("red").text + " ")
    at = _row(spoken("red"), longer).token_at
    assert at is not None
    assert (at.at, at.reference, at.other) == (spoken("red").n_new, "(end)", "' '")


def test_an_engine_that_failed_is_a_difference_and_tells_no_tokens() -> None:
    failed = Generation("", "failed", 0, 0, problem=Problem("engine_failed", "the server answered 500", fatal=True))
    row = _row(spoken("red"), failed)
    assert (row.tokens, row.text, row.value, row.answered) == (None, None, False, True)


def test_no_answer_anywhere_is_no_agreement() -> None:
    found = _compared([written("no colour")], [written("no colour")])
    assert (found.rows[0].value, found.rows[0].answered) == (None, False)
    assert not found.agrees
    assert "– (none)" in str(found)


def test_samples_without_any_value_are_counted_nowhere_and_that_is_said() -> None:
    failed = Generation("", "failed", 0, 0, problem=Problem("engine_failed", "the server answered 500", fatal=True))
    found = _compared([failed, failed, spoken("red")], [failed, failed, spoken("red")])
    assert [row.value for row in found.rows] == [None, None, True]
    assert found.agrees
    (counts,) = [line for line in str(found).splitlines() if line.startswith("vllm ") and "/" in line]
    assert counts.split() == ["vllm", "1/1", "1/1", "1/1", "1/1", "1/1"]
    assert found.cautions == ("2 of 3 samples got no value from local and none from vllm: nothing was compared there",)


def test_no_value_for_other_reasons_is_a_difference() -> None:
    ours, theirs = (
        _record("x", samples=(Told(id="s0", content=1, problems=(code,)),)) for code in ("engine_failed", "not_json")
    )
    (row,) = compare_records({"local": ours, "vllm": theirs}).rows
    assert (row.value, row.answered) == (False, False)


def test_a_server_that_counts_no_tokens_tells_none() -> None:
    uncounted = replace(silent(spoken("red")), n_new=0)
    for one in (spoken("red"), uncounted):
        row = _row(one, uncounted)
        assert (row.tokens, row.token_at, row.gap, row.text, row.value) == (None, None, None, True, True)
    empty = replace(written(""), margins=())
    assert _row(empty, empty).tokens is True


def test_a_sample_that_cannot_be_used_is_not_asked_about() -> None:
    engine = ScriptedEngine([spoken("red")])
    samples = [Sample("blank", text="  "), Sample("good", text="which?")]
    first, second = told(head(engine), samples)
    assert (first.text, first.value, first.problems) == (None, None, ("modality_missing",))
    assert second.value == '{"name": "red", "frame": 1}'
    assert engine.batches == [1]


def test_it_asks_greedily_in_batches_whatever_the_heads_own_limits_are() -> None:
    engine = ScriptedEngine([spoken("red")] * 3)
    hot = head(engine, limits=Limits(77, temperature=0.9, seed=3))
    assert len(list(told(hot, _samples("a", "b", "c"), batch_size=2))) == 3
    assert engine.limits == [Limits(77)] * 2
    assert engine.batches == [2, 1]


def test_a_head_without_a_language_model_has_no_engines() -> None:
    one = head(ScriptedEngine([]))
    one.model.decoder.reads = "tokens"
    with pytest.raises(WiringError, match="worded has no language model"):
        list(told(one, _samples("hello")))


def test_a_record_is_the_same_after_a_file(tmp_path: Path) -> None:
    one = head(ScriptedEngine([spoken("red"), silent(spoken("blue"))], Letters()), adapter="lora")
    record = recorded(one, told(one, _samples("a", "b")))
    record.write(tmp_path / "local.json")
    assert read(tmp_path / "local.json") == record
    assert record.samples[0].margins == (None, *[0.25] * (spoken("red").n_new - 1))
    assert record.words[ord("W")] == "W"
    assert record.versions.keys() == {"vlmkit", "torch", "transformers"}
    assert json.loads((tmp_path / "local.json").read_text())["weights"]["adapter"] == "lora"


def test_ids_that_nobody_can_spell_are_told_as_numbers() -> None:
    heads = {name: head(ScriptedEngine([spoken(colour)]), name) for name, colour in (("a", "red"), ("b", "blue"))}
    at = compare(heads, _samples("x")).rows[0].token_at
    assert at is not None
    assert (at.reference, at.other) == (f"#{ord('r')}", f"#{ord('b')}")


def test_three_engines_are_each_held_against_the_first() -> None:
    heads = {
        "local": head(ScriptedEngine([spoken("red")])),
        "vllm": head(ScriptedEngine([spoken("red")]), "vllm"),
        "openai": head(ScriptedEngine([silent(spoken("blue"))]), "openai"),
    }
    found = compare(heads, _samples("x"))
    assert (found.reference, found.engines) == ("local", ("vllm", "openai"))
    assert [(row.engine, row.value) for row in found.rows] == [("vllm", True), ("openai", False)]
    assert "openai" in found.versions["openai"]


def test_other_weights_and_prompts_are_said() -> None:
    heads = {
        "local": head(ScriptedEngine([spoken("red")])),
        "vllm": head(
            ScriptedEngine([spoken("red")]), "vllm", adapter="lora", base={"id": "a/b"}, hashes={"prompt": "2"}
        ),
    }
    found = compare(heads, _samples("x"))
    assert found.cautions == (
        "vllm was asked with another prompt than local: another version of the task",
        "adapter: None in local, 'lora' in vllm",
    )
    assert "warning: adapter: None in local" in str(found)


def test_weights_that_were_trained_anew_are_said() -> None:
    runs = [[{"data": {"samples": n}}] for n in (5000, 8000)]
    heads = {
        name: head(ScriptedEngine([spoken("red")]), name, training=run)
        for name, run in zip(("local", "vllm"), runs, strict=True)
    }
    (caution,) = compare(heads, _samples("x")).cautions
    assert caution.startswith("training: '")


def _record(*texts: str, **changes: Any) -> Record:
    one = head(ScriptedEngine([spoken("red")] * len(texts)))
    return recorded(one, told(one, _samples(*texts))).model_copy(update=changes)


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ({"a": _record("x")}, "two engines or more; given a"),
        ({"a": _record("x"), "b": _record("x", task="warehouse")}, "a answered 'worded' and b 'warehouse'"),
        ({"a": _record("x", "y"), "b": _record("x")}, "1 are not in both, such as 's1'"),
        ({"a": _record("x"), "b": _record("y")}, "'s0' had another content when b was asked"),
        ({"a": _record(), "b": _record()}, "about no sample"),
    ],
)
def test_what_cannot_be_compared_is_refused(records: dict[str, Record], message: str) -> None:
    with pytest.raises(DataError, match=message):
        compare_records(records)


def test_one_id_for_two_samples_is_refused() -> None:
    one = head(ScriptedEngine([spoken("red")] * 2))
    with pytest.raises(DataError, match="1 ids stand for more than one sample, such as 'x'"):
        recorded(one, told(one, [Sample("x", text="a"), Sample("x", text="b")]))


@pytest.mark.parametrize("text", ["", "[]", '{"format": 2}', "\udcff not text"])
def test_a_file_that_is_no_record_is_said_in_one_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / "x.json"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(DataError, match=r"x\.json is no record of an engine .*--save"):
        read(file)
    with pytest.raises(DataError, match=r"none\.json: No such file"):
        read(tmp_path / "none.json")
