"""Maps from logits to probabilities: closed forms, JSON, and what they refuse."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from vlmkit.calibration import Isotonic, Map, Platt, Temperature, wrong_right
from vlmkit.calibration.maps import map_from_json
from vlmkit.errors import DataError

TWO = np.array([[0.0, 1.0], [2.0, -1.0], [0.5, 0.5]])
THREE = np.array([[0.0, 1.0, 2.0], [3.0, -1.0, 0.0]])
MAPS: list[Map] = [Temperature(2.0), Platt((0.5,), (0.1,)), Isotonic(((0.2, 0.8),), ((0.0, 1.0),))]


def test_temperature_is_the_softmax_of_divided_logits() -> None:
    p = Temperature(2.0).probabilities(TWO)
    assert p[0, 1] == pytest.approx(1 / (1 + math.exp(-0.5)))
    assert p[2].tolist() == [0.5, 0.5]
    assert Temperature(1e-2).probabilities([[0.0, 1e6]]).tolist() == [[0.0, 1.0]]  # no overflow


def test_platt_of_two_classes_is_a_sigmoid_of_the_difference() -> None:
    p = Platt((2.0,), (-1.0,)).probabilities(TWO)
    assert p[:, 1] == pytest.approx([1 / (1 + math.exp(1 - 2 * z)) for z in (1.0, -3.0, 0.0)])
    assert p.sum(axis=1) == pytest.approx(1)


def test_platt_of_more_classes_is_one_against_rest_and_normalised() -> None:
    same = Platt((1.0,) * 3, (0.0,) * 3).probabilities(THREE)  # the identity: softmax against rest is softmax
    assert same == pytest.approx(Temperature(1.0).probabilities(THREE))
    turned = Platt((-1.0,) * 3, (0.0,) * 3).probabilities(THREE)
    assert turned.sum(axis=1) == pytest.approx(1)
    assert turned[0, 0] > turned[0, 2]


def test_isotonic_is_straight_between_its_points_and_flat_beyond() -> None:
    one = Isotonic(((0.25, 0.75),), ((0.1, 0.5),))
    p = one.probabilities([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]])[:, 1]
    assert p.tolist() == pytest.approx([0.3, 0.1, 0.5])


def test_isotonic_that_gives_no_class_anything_says_one_in_k() -> None:
    never = Isotonic(((0.0, 1.0),) * 3, ((0.0, 0.0),) * 3)
    assert never.probabilities(THREE)[0].tolist() == pytest.approx([1 / 3] * 3)


@pytest.mark.parametrize("one", MAPS)
def test_json_brings_back_the_very_map(one: Map) -> None:
    assert map_from_json(json.loads(json.dumps(one.to_json()))) == one


@pytest.mark.parametrize(
    "data",
    [True, None, "1.2", 0, -0.4, float("nan"), {}, {"method": "beta"},
     {"method": "platt", "slope": ["a"], "intercept": [0]},
     {"method": "platt", "slope": [], "intercept": []}, {"method": "isotonic", "x": [[0, 1]], "y": [[1, 0]]},
     {"method": "isotonic", "x": [[0, 1]], "y": [[0, 2]]}, {"method": "isotonic", "x": [0], "y": [0]},
     {"method": "platt", "slope": [1], "intercept": [0], "t": 1}],
)  # fmt: skip
def test_anything_else_is_refused(data: object) -> None:
    with pytest.raises(DataError):
        map_from_json(data)


@pytest.mark.parametrize("one", MAPS)
def test_logits_that_are_no_numbers_are_refused(one: Map) -> None:
    with pytest.raises(DataError, match="logits of 2 of 3 samples are NaN or infinite"):
        one.probabilities([[0.0, 1.0], [math.nan, 0.0], [0.0, math.inf]])
    with pytest.raises(DataError, match="two classes or more"):
        one.probabilities([0.0, 1.0])


def test_a_map_of_two_classes_refuses_three() -> None:
    with pytest.raises(DataError, match="made for 2 classes; given logits of 3"):
        Platt((1.0,), (0.0,)).probabilities(THREE)


def test_a_confidence_is_its_own_log_odds() -> None:
    given = [0.0, 0.2, 0.5, 1.0]
    assert Temperature(1.0).probabilities(wrong_right(given))[:, 1] == pytest.approx(given, abs=1e-6)
    assert np.isfinite(wrong_right(given)).all()
    with pytest.raises(DataError, match=r"1 of 2 probabilities are not within 0..1; the first: 1.5"):
        wrong_right([0.5, 1.5])
