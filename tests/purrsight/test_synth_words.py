from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product

import numpy as np
import pytest

from vlmkit_plugins.purrsight import wording
from vlmkit_plugins.purrsight.ethology import classify
from vlmkit_plugins.purrsight.schema import MARKERS, NOT_OBSERVED, VOCABULARY, Classification, risks


def all_markers() -> Iterator[dict[str, str]]:
    for values in product(*(VOCABULARY[name] for name in MARKERS)):
        yield {name: str(value) for name, value in zip(MARKERS, values, strict=True)}


def test_the_table_obeys_the_risk_rule_and_uses_every_label() -> None:
    seen: dict[str, set[str | int]] = {name: set() for name in Classification.model_fields}
    for markers in all_markers():
        meaning = classify(markers)
        Classification.model_validate(meaning._asdict())
        assert meaning.risk_rating in risks(meaning.ethogram_group, meaning.affective_state)
        if "aggressive" in meaning:
            assert meaning.risk_rating in (4, 5)
        for name, value in meaning._asdict().items():
            seen[name].add(value)
    assert seen == {name: set(VOCABULARY[name]) for name in seen}


@pytest.mark.parametrize(
    ("markers", "meaning"),
    [
        ({"ears": "flattened"}, ("agonistic", "aggressive", "high", 4)),
        ({"ears": "flattened", "vocalization": "hiss", "posture": "crouched"}, ("agonistic", "distressed", "high", 5)),
        ({"tail": "puffed", "posture": "arched"}, ("agonistic", "aggressive", "high", 5)),
        ({"tail": "tucked", "posture": "crouched"}, ("agonistic", "distressed", "medium", 4)),
        ({"vocalization": "chirp"}, ("predatory", "playful", "medium", 2)),
        ({"ears": "alert", "posture": "crouched", "tail": "lashing"}, ("predatory", "playful", "high", 3)),
        ({"ears": "sideways"}, ("maintenance", "anxious", "medium", 2)),
        (
            {"posture": "tense", "vocalization": "purr", "ears": "sideways"},
            ("social_affiliative", "anxious", "medium", 3),
        ),
        ({"tail": "upright", "ears": "alert"}, ("social_affiliative", "playful", "medium", 1)),
        ({"vocalization": "purr"}, ("social_affiliative", "content", "low", 1)),
        ({"vocalization": "meow"}, ("social_affiliative", "neutral", "low", 1)),
        ({"posture": "lateral_recumbent", "vocalization": "silent"}, ("maintenance", "content", "low", 1)),
        ({"ears": "alert", "tail": "neutral"}, ("maintenance", "neutral", "medium", 1)),
        ({"vocalization": "silent"}, (NOT_OBSERVED,) * 4),
        ({}, (NOT_OBSERVED,) * 4),
    ],
)
def test_rows_of_the_table(markers: dict[str, str], meaning: tuple[object, ...]) -> None:
    assert classify(markers) == meaning
    assert classify(dict.fromkeys(MARKERS, NOT_OBSERVED) | markers) == meaning


def test_a_threat_is_never_outweighed() -> None:
    calm = {"ears": "forward", "tail": "upright", "posture": "relaxed", "vocalization": "purr"}
    for name, value in (("ears", "flattened"), ("tail", "puffed"), ("posture", "arched"), ("vocalization", "growl")):
        assert classify({**calm, name: value}).risk_rating == 4


def test_no_phrase_is_part_of_one_that_says_something_else() -> None:
    said = {
        phrase: (name, value)
        for name, values in wording.PHRASES.items()
        for value, ways in values.items()
        for phrase in ways
    }
    assert len(said) == sum(len(ways) for values in wording.PHRASES.values() for ways in values.values())
    for one, other in combinations(said, 2):
        assert said[one] == said[other] or (one not in other and other not in one)


def test_every_value_can_be_said_and_nothing_is_negated() -> None:
    assert {name: [*values, NOT_OBSERVED] for name, values in wording.PHRASES.items()} == {
        name: list(VOCABULARY[name]) for name in MARKERS
    }
    for markers in list(all_markers())[::17]:
        told = {name: value for name, value in markers.items() if value != NOT_OBSERVED}
        if told:
            text = wording.describe(told, np.random.default_rng(len("".join(told.values())))).lower()
            assert not {"not", "no", "never", "without", "isn't"} & set(text.replace(".", " ").split())
            for name, value in told.items():
                assert any(way in text for way in wording.PHRASES[name][value])


def test_descriptions_vary() -> None:
    rng = np.random.default_rng(0)
    assert len({wording.describe({"ears": "alert", "tail": "upright"}, rng) for _ in range(100)}) > 60


def test_summaries_are_fixed_and_short() -> None:
    markers = {"ears": "alert", "tail": "upright", "posture": "lateral_recumbent", "vocalization": "meow"}
    assert wording.summary(markers) == "Ears alert, tail upright, posture lateral recumbent, meowing."
    unseen = {**markers, "vocalization": NOT_OBSERVED, "tail": NOT_OBSERVED}
    assert wording.summary(unseen) == "Ears alert, posture lateral recumbent. Other cues not observed."
    assert wording.summary(dict.fromkeys(MARKERS, NOT_OBSERVED)) == "Nothing. Other cues not observed."
    assert max(len(wording.summary(one)) for one in all_markers()) <= 200


def test_every_situation_has_its_own_advice() -> None:
    situations = {(m.affective_state, m.risk_rating) for m in map(classify, all_markers())}
    advice = {wording.advice(state, risk) for state, risk in situations}
    assert len(advice) == len(situations)
    assert all(0 < len(text) <= 40 and all(ord(letter) > 127 for letter in text) for text in advice)
