from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from itertools import combinations, product
from typing import Any, cast

import pytest
from pydantic import ValidationError

from tests.purrsight.reports import ALARMED, BLANK, CALM, fields, report
from vlmkit.decoders.schema import bounded
from vlmkit.errors import DataError
from vlmkit.types import Modality, Prediction, Problem
from vlmkit_plugins.purrsight.envelope import from_json, to_json
from vlmkit_plugins.purrsight.schema import (
    MARKERS,
    VOCABULARY,
    CatReport,
    absent_markers,
    masked,
    narrow,
    parse_report,
    risks,
)

EVERY: tuple[Modality, ...] = ("image", "audio", "video", "text")
WHEN = datetime(2026, 2, 1, 5, 1, 35, 500094, UTC).isoformat()


def test_the_vocabularies_of_the_third_version() -> None:
    assert {name: " ".join(map(str, values)) for name, values in VOCABULARY.items()} == {
        "ears": "forward sideways flattened alert not_observed",
        "tail": "neutral tucked lashing upright puffed not_observed",
        "posture": "relaxed crouched lateral_recumbent arched tense not_observed",
        "vocalization": "purr hiss growl chirp meow trill silent not_observed",
        "ethogram_group": "social_affiliative agonistic maintenance predatory not_observed",
        "affective_state": "content anxious aggressive playful distressed neutral not_observed",
        "arousal_level": "low medium high not_observed",
        "risk_rating": "1 2 3 4 5 not_observed",
    }
    assert list(report().fields) == list(VOCABULARY)


@pytest.mark.parametrize("group", VOCABULARY["ethogram_group"])
@pytest.mark.parametrize("state", VOCABULARY["affective_state"])
def test_the_risk_rule(group: str, state: str) -> None:
    routine = group in ("social_affiliative", "maintenance") and state in ("content", "playful", "neutral")
    for risk in VOCABULARY["risk_rating"]:
        if group == "agonistic" or state == "distressed":
            legal = risk in (4, 5)
        elif routine:
            legal = risk in (1, 2)
        elif risk == "not_observed":
            legal = "not_observed" in (group, state)
        else:
            legal = group != "not_observed" or state != "not_observed"
        assert (risk in risks(group, state)) is legal
        changes = {"ethogram_group": group, "affective_state": state, "risk_rating": risk}
        if legal:
            assert report(**changes).fields["risk_rating"] == risk
        else:
            with pytest.raises(ValidationError, match="risk_rating of"):
                report(**changes)


def test_what_is_made_in_python_obeys_the_rule_too() -> None:
    with pytest.raises(ValidationError, match="risk_rating of agonistic and distressed is 4 or 5; given 2"):
        type(report().diagnostic.classification)(
            ethogram_group="agonistic", affective_state="distressed", arousal_level="high", risk_rating=2
        )


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"ears": "pricked"}, "truth: diagnostic.physical_markers.ears: .*; given 'pricked'"),
        ({"tail": None}, "physical_markers.tail"),
        ({"risk_rating": 6}, "classification.risk_rating"),
        ({"risk_rating": "1"}, "classification.risk_rating"),
        ({"risk_rating": True}, "classification.risk_rating: wanted 1 to 5"),
        ({"risk_rating": 3}, "truth: diagnostic.classification: risk_rating of social_affiliative and content is 1 or"),
        ({"confidence": 0.5}, "classification.confidence"),
    ],
)
def test_a_wrong_field_is_named(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(DataError, match=says):
        parse_report(fields(**changes), "truth")


@pytest.mark.parametrize(("name", "most"), [("behavioral_summary", 240), ("human_actionable_insight", 80)])
def test_words_are_bounded_and_never_empty(name: str, most: int) -> None:
    for length in (1, most):
        parse_report({**fields(), name: "猫" * length}, "truth")
    for length in (0, most + 1):
        with pytest.raises(DataError, match=f"truth: {name}"):
            parse_report({**fields(), name: "猫" * length}, "truth")


def test_a_report_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        report().behavioral_summary = "x"


@pytest.mark.parametrize("used", [c for n in range(5) for c in combinations(EVERY, n)])
def test_what_no_modality_can_show_is_left_blank(used: tuple[Modality, ...]) -> None:
    sees = bool({"image", "video", "text"} & set(used))
    hears = bool({"audio", "text"} & set(used))
    absent = (*(() if sees else ("ears", "tail", "posture")), *(() if hears else ("vocalization",)))
    assert absent_markers(used) == absent
    assert narrow(used) is narrow(reversed(used))
    assert issubclass(narrow(used), CatReport)
    blank = masked(report(), used)
    assert blank == report(**dict.fromkeys(absent, "not_observed"))
    assert narrow(used).model_validate(blank.model_dump()).fields == blank.fields
    for marker in absent:
        with pytest.raises(ValidationError, match=marker):
            narrow(used).model_validate(fields(BLANK, **{marker: CALM[marker]}))


def test_narrowing_keeps_the_order_and_the_rule() -> None:
    for used in ((), ("image",), ("audio",)):
        assert list(narrow(used).model_fields) == list(CatReport.model_fields)
        assert len(json.loads(bounded(narrow(used)).schema)["properties"]["diagnostic"]["properties"]) == 2
        with pytest.raises(ValidationError, match="risk_rating of"):
            narrow(used).model_validate(fields(BLANK, ethogram_group="agonistic", risk_rating=1))


def test_the_sizes_of_a_reply() -> None:
    """A cut reply needs `minimum` bytes: all but the advice, of which one character has to be there."""
    longest = fields(
        ears="not_observed", tail="not_observed", posture="lateral_recumbent", vocalization="not_observed",
        ethogram_group="social_affiliative", affective_state="not_observed", arousal_level="not_observed",
        risk_rating="not_observed",
    )  # fmt: skip
    words = {"behavioral_summary": "😀" * 240, "human_actionable_insight": "😀"}
    text = json.dumps({**longest, **words}, ensure_ascii=False, separators=(",", ":"))
    assert bounded(CatReport).minimum == len(text.encode())
    assert bounded(CatReport).longest == len(text.encode()) + 4 * 79


def prediction(used: tuple[Modality, ...] = ("image",), **inputs: Any) -> Prediction[CatReport]:
    provenance = {"timestamp": WHEN, "checkpoint": "tiny", "base": {"id": None}, "inputs": inputs}
    return Prediction("cat", report(), used=used, raw="{...}", provenance=provenance)


def test_json_is_exactly_the_promised_envelope() -> None:
    assert json.dumps(to_json(prediction(image="data/cat.png")), ensure_ascii=False) == (
        '{"timestamp": "2026-02-01T05:01:35.500094+00:00", "input_type": "image", "model_checkpoint": "tiny", '
        '"generated_text": "{...}", "metadata": {"model_version": "2.0", "phase": "phase2", "schema_version": "V3"}, '
        '"input_file": "data/cat.png", "analysis": {"diagnostic": {"physical_markers": {"ears": "forward", '
        '"tail": "upright", "posture": "relaxed", "vocalization": "purr"}, "classification": {"ethogram_group": '
        '"social_affiliative", "affective_state": "content", "arousal_level": "low", "risk_rating": 1}}, '
        '"behavioral_summary": "Ears and tail as drawn.", "human_actionable_insight": "状态平稳，照常照看即可。"}}'
    )


@pytest.mark.parametrize(
    ("used", "inputs", "kind", "source"),
    [
        (("image",), {"image": "a.png"}, "image", {"input_file": "a.png"}),
        (
            ("audio", "image", "text"),
            {"audio": "a.wav", "image": "b.png", "text": "x"},
            "image",
            {"input_file": "b.png"},
        ),
        (("audio", "video"), {"video": "a.mp4"}, "video", {"input_file": "a.mp4"}),
        (("audio",), {"video": "a.mp4"}, "audio", {"input_file": "a.mp4"}),  # of a film only its sound was heard
        (("audio",), {"image": "gone.png", "audio": "b.wav"}, "audio", {"input_file": "b.wav"}),
        (("text",), {"text": "it purrs"}, "text", {"input_text": "it purrs"}),
        (("image",), {"image": None}, "image", {"input_file": None}),  # bytes
        ((), {}, None, {"input_file": None}),  # read from a file of answers
    ],
)
def test_the_envelope_says_what_was_really_seen(
    used: tuple[Modality, ...], inputs: dict[str, Any], kind: str | None, source: dict[str, Any]
) -> None:
    envelope = to_json(prediction(used, **inputs))
    assert envelope["input_type"] == kind
    assert {key: value for key, value in envelope.items() if key.startswith("input_") and key != "input_type"} == source


def test_the_id_is_added_where_the_file_does_not_tell_it() -> None:
    assert "sample_id" not in to_json(prediction(image="data/cat.png"))
    assert to_json(prediction(image="data/other.png"))["sample_id"] == "cat"
    for key, seen, given in (("text", "text", "it purrs"), ("sample", "image", None)):
        said = replace(prediction((cast(Modality, seen),), **{seen: given}), sample_id=key)
        assert "sample_id" not in to_json(said)
        assert from_json(to_json(said)) == (key, report())


def test_without_a_value_no_marker_is_invented() -> None:
    broken = Prediction[CatReport](
        "cat",
        None,
        (Problem("media_missing", "no such file", "image", fatal=True),),
        provenance={"timestamp": WHEN, "inputs": {"image": "data/cat.png"}},
    )
    envelope = to_json(broken)
    assert (envelope["analysis"], envelope["generated_text"], envelope["input_type"]) == (None, None, "image")
    assert envelope["problems"] == [
        {"code": "media_missing", "message": "no such file", "where": "image", "fatal": True}
    ]
    with pytest.raises(DataError, match="cat: analysis: the record says why"):
        from_json(envelope)


@pytest.mark.parametrize("base", [CALM, ALARMED, BLANK])
@pytest.mark.parametrize("source", [{"image": "a/cat.png"}, {"image": "b.png"}, {}])
def test_envelopes_come_back(base: dict[str, Any], source: dict[str, Any]) -> None:
    made = Prediction("cat", report(base), used=("image",), provenance={"inputs": source})
    assert from_json(json.loads(json.dumps(to_json(made)))) == ("cat", report(base))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"timestamp": "yesterday"}, "timestamp: wanted ISO 8601"),
        ({"timestamp": 3}, "timestamp: wanted a string"),
        ({"input_type": "smell"}, "input_type: wanted one of video, image, audio, text; given 'smell'"),
        ({"metadata": {}}, "metadata.schema_version: only V3 is read; given None"),
        ({"metadata": None}, "metadata.schema_version"),
        ({"input_file": 3}, "input_file"),
        ({"sample_id": ""}, "sample_id: wanted a non-empty string"),
        ({"analysis": fields(ears="up")}, "cat: analysis: diagnostic.physical_markers.ears"),
        ({"analysis": fields(risk_rating=5)}, "cat: analysis: diagnostic.classification: risk_rating of"),
        ({"analysis": {"raw_response": "A cat.", "note": "unparsed"}}, "cat: analysis: diagnostic: Field required"),
        ({"mood": "good"}, r"unknown keys \['mood'\]"),
    ],
)
def test_a_wrong_envelope_is_refused_by_field(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(DataError, match=says):
        from_json({**to_json(prediction(image="cat.png")), **changes})


def test_what_is_no_envelope_is_refused() -> None:
    with pytest.raises(DataError, match="given list"):
        from_json([])
    with pytest.raises(DataError, match="timestamp: missing"):
        from_json({"analysis": fields()})


def test_every_combination_of_markers_is_a_report() -> None:
    for values in product(*(VOCABULARY[name] for name in MARKERS)):
        report(**dict(zip(MARKERS, values, strict=True)))
