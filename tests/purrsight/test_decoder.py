"""Replies under the room's grammar: drawn at random, cut, free; and the question that they answer."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from tests.decoders.replies import random_replies, spoken, takes, tokens
from tests.purrsight.reports import ALARMED, BLANK, CALM, fields, report
from vlmkit.types import Generation, Image, Modality, Prompt, Sample, Slot, Sound
from vlmkit_plugins.purrsight.head import decoder, narrow, prompt
from vlmkit_plugins.purrsight.schema import VOCABULARY, CatReport, absent_markers, risks

DECODER = decoder()
SEEN: tuple[tuple[Modality, ...], ...] = (("image",), ("audio",), ("text",), ("audio", "image"), ("audio", "video"))


def sample(*used: Modality, text: str | None = None) -> Sample:
    return Sample("cat", text=text, meta={"used": used})


def compact(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def free(data: Any, **changes: Any) -> Generation:
    return replace(Generation(compact(data), "end", 1, 1), **changes)


@pytest.mark.parametrize("used", SEEN)
def test_100_random_replies_obey_the_rule_and_invent_no_marker(used: tuple[Modality, ...]) -> None:
    about, met = sample(*used), set()
    constraint = DECODER.constraint(about)
    assert constraint is not None
    for generation in random_replies(constraint, 100, seed=len(used), closing=0.3):
        found = DECODER.decode(generation, about)
        if found.value is None:  # blank markers with a meaning: no grammar sees both
            assert [problem.code for problem in found.problems] == ["nothing_observed"], generation.text
            continue
        assert found.problems == ()
        classes = found.value.diagnostic.classification
        assert classes.risk_rating in risks(classes.ethogram_group, classes.affective_state)
        for marker in absent_markers(used):
            assert getattr(found.value.diagnostic.physical_markers, marker) == "not_observed"
            assert f"diagnostic.physical_markers.{marker}" not in found.confidence
        met.add(classes.risk_rating)
    assert met == {1, 2, 3, 4, 5, "not_observed"}


def test_the_grammar_allows_what_the_rule_allows_and_nothing_else() -> None:
    constraint = DECODER.constraint(sample("image", "audio"))
    assert constraint is not None
    names = ("ethogram_group", "affective_state", "risk_rating")
    for values in product(*(VOCABULARY[name] for name in names)):
        group, state, risk = values
        text = compact(fields(**dict(zip(names, values, strict=True))))
        assert takes(constraint, text) is (risk in risks(str(group), str(state))), values


def test_cut_replies_close_from_the_minimum_on_and_never_invent() -> None:
    about = sample("image", "audio")
    constraint = DECODER.constraint(about)
    assert constraint is not None
    long = {
        **fields(ALARMED),
        "behavioral_summary": "Hisses.",
        "human_actionable_insight": "请保持距离，不要触碰。" * 4,
    }
    text = compact(long)
    ids, closed = tokens(text), list[str]()
    for cut in range(1, len(ids)):
        found = DECODER.decode(spoken(ids[:cut], cut=True), about)
        assert {problem.code for problem in found.problems} <= {"truncated"}
        if found.value is not None:
            closed.append(found.value.human_actionable_insight)
            assert found.value.diagnostic == report(ALARMED).diagnostic
    assert set(closed) == {
        long["human_actionable_insight"][:n] for n in range(1, 45)
    }  # before the advice nothing closes
    assert len(closed) <= len(tokens(text[text.index("请") :]))


@pytest.mark.parametrize("base", [CALM, ALARMED, BLANK])
def test_targets_are_legal_replies(base: dict[str, Any]) -> None:
    about = sample("image", "audio")
    text = DECODER.encode(report(base))
    constraint = DECODER.constraint(about)
    assert constraint is not None
    assert takes(constraint, text)
    assert DECODER.decode(Generation(text, "end", 1, 1), about).value == report(base)


def test_an_engine_without_a_grammar_may_not_invent_a_marker() -> None:
    found = DECODER.decode(free(fields()), sample("audio"))
    assert found.value is None
    assert [(p.code, p.where) for p in found.problems] == [
        ("marker_invented", f"diagnostic.physical_markers.{marker}") for marker in ("ears", "tail", "posture")
    ]
    assert "'forward', which audio cannot show" in found.problems[0].message
    heard = fields(ears="not_observed", tail="not_observed", posture="not_observed")
    assert DECODER.decode(free(heard), sample("audio")).value is not None


def test_an_engine_without_a_grammar_may_not_break_the_rule() -> None:
    (problem,) = DECODER.decode(free(fields(ethogram_group="agonistic")), sample("image", "audio")).problems
    assert (problem.code, problem.where, problem.fatal) == ("not_schema", "diagnostic.classification", True)
    assert 'ethogram_group "agonistic", affective_state "content", risk_rating 1' in problem.message


def test_confidence_stands_under_the_field_and_not_where_nothing_was_judged() -> None:
    seen = fields(vocalization="not_observed")
    found = DECODER.decode(spoken(tokens(compact(seen))), sample("image"))
    named = {key.rpartition(".")[2] for key in found.confidence if key.count(".") == 2}
    assert named == set(VOCABULARY) - {"vocalization"}
    assert 0 < found.confidence["diagnostic.physical_markers.ears"] < 1


def test_what_a_sample_brings_counts_until_the_model_has_looked() -> None:
    given = Sample("cat", {"audio": Sound("a.wav"), "image": Image("a.png")})
    assert narrow(given) is CatReport
    assert narrow(Sample("cat", {"audio": Sound("a.wav")})) is narrow(sample("audio"))
    assert narrow(replace(given, meta={"used": ("audio",)})) is narrow(sample("audio"))  # the picture did not open
    assert narrow(Sample("probe")) is CatReport
    assert narrow(sample()) is not CatReport  # nothing was seen at all


def parts(asked: Prompt) -> list[str | Slot]:
    return [part for message in asked.messages for part in message.parts]


def test_slots_stand_in_one_order_for_what_was_seen() -> None:
    slots = [
        p.modality for p in parts(prompt(sample("audio", "image", "text", "video", text="x"))) if isinstance(p, Slot)
    ]
    assert slots == ["image", "video", "audio"]
    assert not [p for p in parts(prompt(sample("text", text="it purrs"))) if isinstance(p, Slot)]


def test_the_owners_words_come_as_they_are() -> None:
    words = "  My cat… <b>hisses</b>\nat 3 a.m. "
    assert words in parts(prompt(sample("text", text=words)))
    assert words in parts(prompt(Sample("cat", text=words)))
    assert parts(prompt(Sample("cat", text=words)))[-1] == parts(prompt(Sample("probe")))[-1]


def test_the_question_names_every_field_and_every_choice() -> None:
    question = str(parts(prompt(Sample("probe")))[-1])
    for field, choices in VOCABULARY.items():
        assert field in question
        assert all(str(choice) in question for choice in choices)
    for name in ("diagnostic", "physical_markers", "classification", *CatReport.model_fields):
        assert name in question


def test_a_text_beyond_reason_is_cut_and_the_answer_says_so() -> None:
    text = "The ears are flat. " * 5000
    about = sample("text", text=text)
    asked = "".join(part for message in prompt(about).messages for part in message.parts if isinstance(part, str))
    assert text[:2000] in asked
    assert text[:2001] not in asked
    found = DECODER.decode(free(fields(**BLANK)), about)
    assert [(p.code, p.where, p.fatal) for p in found.problems] == [("text_cut", "text", False)]
    assert "first 2000 were read" in found.problems[0].message


def test_a_meaning_without_a_marker_is_made_up() -> None:
    blank = dict.fromkeys(("ears", "tail", "posture", "vocalization"), "not_observed")
    found = DECODER.decode(free(fields(**blank)), sample("text", text="The weather is nice today."))
    assert found.value is None
    assert [(p.code, p.fatal) for p in found.problems] == [("nothing_observed", True)]
    assert "ethogram_group" in found.problems[0].message
    assert DECODER.decode(free(fields(**BLANK)), sample("text", text="The weather.")).value is not None
