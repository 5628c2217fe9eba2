"""A calibrated JSON decoder: probabilities of being right in `confidence`, its own figures beside them."""

from __future__ import annotations

from math import exp, log
from typing import Literal

import pytest
from pydantic import BaseModel

from vlmkit.calibration import Calibration, Map, Platt, Temperature
from vlmkit.decoders.json import JsonDecoder
from vlmkit.types import Generation, Sample


class Meal(BaseModel):
    """Two closed fields."""

    dish: Literal["soup", "salad"]
    hot: bool


TEXT = '{"dish":"soup","hot":true}'
REPLY = Generation(TEXT, "end", 1, 3, (0.0, log(0.8), log(0.5)), ((0, 8), (8, 15), (15, len(TEXT))))
MAPS: dict[str, Map] = {"dish": Temperature(2.0), "reply": Platt((1.0,), (log(2.0),))}


@pytest.fixture
def decoder() -> JsonDecoder[Meal]:
    made = JsonDecoder(Meal)
    made.calibration = Calibration(MAPS)
    return made


def test_confidence_has_what_has_a_map_and_uncalibrated_has_all(decoder: JsonDecoder[Meal]) -> None:
    plain, found = JsonDecoder(Meal).decode(REPLY, Sample("a")), decoder.decode(REPLY, Sample("a"))
    assert plain.uncalibrated == {}
    assert dict(found.uncalibrated) == dict(plain.confidence) == pytest.approx({"reply": 0.4, "dish": 0.8, "hot": 0.5})
    assert set(found.confidence) == {"dish", "reply"}
    assert found.confidence["dish"] == pytest.approx(1 / (1 + exp(-log(4) / 2)))
    assert found.confidence["reply"] == pytest.approx(1 / (1 + exp(-log(0.4 / 0.6) - log(2))))
    assert found.value == plain.value


def test_a_reply_without_token_probabilities_has_neither(decoder: JsonDecoder[Meal]) -> None:
    found = decoder.decode(Generation(TEXT, "end", 1, 3), Sample("a"))
    assert (found.confidence, found.uncalibrated) == ({}, {})
    assert found.value is not None


def test_it_stays_total(decoder: JsonDecoder[Meal]) -> None:
    for text in ("", "{", "null", '{"dish":"pie","hot":true}'):
        assert decoder.decode(Generation(text, "end", 1, 1, (-0.1,), ((0, len(text)),)), Sample("a")).value is None
    sure = Generation(TEXT, "end", 1, 1, (0.0,), ((0, len(TEXT)),))
    assert all(0 < p < 1 for p in decoder.decode(sure, Sample("a")).confidence.values())
