"""Fits: known maps are found again, scikit-learn agrees, and what cannot be fitted is refused."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression

from vlmkit.calibration import Isotonic, Platt, Temperature, ece
from vlmkit.calibration.fit import (
    COLDEST,
    HOTTEST,
    METHODS,
    Method,
    cross_fitted,
    fit,
    fit_isotonic,
    fit_platt,
    fit_temperature,
    notes,
    worse_than_none,
)
from vlmkit.errors import DataError, UnknownNameError

Array = NDArray[np.float64]


def drawn(n: int, k: int, seed: int = 0) -> tuple[Array, NDArray[np.int64]]:
    """Logits, and labels drawn from their softmax: calibrated as they are."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (n, k))
    p = Temperature(1.0).probabilities(logits)
    return logits, (rng.random((n, 1)) > p.cumsum(axis=1)).sum(axis=1)


class Itself(ClassifierMixin, BaseEstimator):
    """A classifier whose decisions are what it is given."""

    def fit(self, x: Array, y: NDArray[np.int64]) -> Itself:
        self.classes_ = np.unique(y)
        return self

    def decision_function(self, x: Array) -> Array:
        return x[:, 1] - x[:, 0] if x.shape[1] == 2 else x

    def predict(self, x: Array) -> Array:
        return np.asarray(self.classes_[x.argmax(axis=1)])


def theirs(method: str, logits: Array, labels: NDArray[np.int64]) -> Array:
    fitted = CalibratedClassifierCV(FrozenEstimator(Itself().fit(logits, labels)), method=method).fit(logits, labels)
    return np.asarray(fitted.predict_proba(logits))


def test_two_samples_of_three_right_have_a_closed_form() -> None:
    """All logits (0, 1): the share of right answers, 2/3, is sigmoid(1 / T), so T = 1 / log 2."""
    assert fit_temperature([[0.0, 1.0]] * 3, [1, 1, 0]).t == pytest.approx(1 / np.log(2), rel=1e-6)


@pytest.mark.parametrize("scale", [0.05, 0.4, 1.0, 3.0, 40.0])
@pytest.mark.parametrize("k", [2, 5])
def test_a_known_temperature_is_found_again(k: int, scale: float) -> None:
    logits, labels = drawn(400, k)
    t = fit_temperature(logits, labels).t
    assert t == pytest.approx(1.0, abs=0.15)
    assert fit_temperature(logits * scale, labels).t == pytest.approx(t * scale, rel=1e-5)


@pytest.mark.parametrize("k", [2, 4])
def test_temperature_is_that_of_scikit_learn(k: int) -> None:
    logits, labels = drawn(200, k, seed=1)
    ours = fit_temperature(logits * 2, labels).probabilities(logits * 2)
    # It makes (-z, z) of two classes' difference z: our scale and its differ, the fitted probabilities do not.
    assert ours == pytest.approx(theirs("temperature", logits * 2, labels), abs=1e-5)


def test_platt_is_that_of_scikit_learn() -> None:
    logits, labels = drawn(200, 2, seed=2)
    ours = fit_platt(logits * 3 + [0, 1], labels).probabilities(logits * 3 + [0, 1])
    assert ours == pytest.approx(theirs("sigmoid", logits * 3 + [0, 1], labels), abs=1e-4)


@pytest.mark.parametrize("scale", [1e-4, 1e4])
def test_platt_does_not_depend_on_the_scale(scale: float) -> None:
    logits, labels = drawn(200, 2, seed=2)
    plain, scaled = fit_platt(logits, labels), fit_platt(logits * scale, labels)
    assert scaled.slope[0] * scale == pytest.approx(plain.slope[0], rel=1e-4)
    assert scaled.intercept[0] == pytest.approx(plain.intercept[0], abs=1e-4)


def test_isotonic_is_that_of_scikit_learn() -> None:
    logits, labels = drawn(200, 2, seed=3)
    p = Temperature(1.0).probabilities(logits)[:, 1]
    curve = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(p, labels)
    other, _ = drawn(50, 2, seed=4)
    wanted = curve.predict(Temperature(1.0).probabilities(other)[:, 1])
    assert fit_isotonic(logits, labels).probabilities(other)[:, 1] == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("k", [2, 3])
def test_an_overconfident_model_is_brought_down(method: Method, k: int) -> None:
    logits, labels = drawn(600, k, seed=5)
    sharp = logits * 4
    before = Temperature(1.0).probabilities(sharp)
    after = cross_fitted(method, sharp, labels)
    assert after is not None
    errors = [ece(p.max(axis=1), p.argmax(axis=1) == labels) for p in (before, after)]
    assert errors[0] > 0.12
    assert errors[1] < 0.06


def test_what_is_worse_than_no_map_is_said() -> None:
    cold = fit_temperature([[0.0, 3.0], [3.0, 0.0]] * 5, [1, 0] * 5)
    assert cold.t == pytest.approx(COLDEST)
    assert "no error is among the samples" in str(worse_than_none(cold))
    hot = fit_temperature([[0.0, 3.0], [3.0, 0.0]] * 5, [0, 1] * 5)  # never negative
    assert hot.t == pytest.approx(HOTTEST)
    assert "at its bound of 100" in notes(hot)[0]
    assert 0 < fit_platt([[0.0, 3.0], [3.0, 0.0]] * 5, [1, 0] * 5).slope[0] < 10
    assert "the surer, the less often right" in str(
        worse_than_none(fit_platt([[0.0, 3.0], [3.0, 0.0]] * 5, [0, 1] * 5))
    )
    assert worse_than_none(hot) is None
    assert notes(cold) == ()


def test_a_good_fit_needs_no_note() -> None:
    logits, labels = drawn(100, 2)
    assert [notes(fit(method, logits, labels)) for method in METHODS] == [(), (), ()]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        ([[0.0, 1.0]], [1], "1 samples: nothing can be fitted"),
        ([[0.0, 1.0]] * 3, [1, 1, 1], "all 3 samples are of class 1"),
        ([[0.0, 1.0], [np.nan, 1.0]], [1, 0], "logits of 1 of 2 samples are NaN or infinite"),
        ([[0.0, 1.0], [np.inf, 1.0]], [1, 0], "logits of 1 of 2 samples are NaN or infinite"),
        ([[0.0, 1.0], [1.0, 1.0]], [1, 2], "from 0 to 1"),
        ([[0.0, 1.0], [1.0, 1.0]], [1], "wanted 2 labels"),
        ([0.0, 1.0], [1, 0], "two classes or more"),
    ],
)
def test_what_cannot_be_fitted_is_refused(
    method: Method, logits: list[object], labels: list[int], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        fit(method, np.array(logits, float), labels)


def test_a_class_that_never_comes_is_named() -> None:
    logits, labels = drawn(30, 3)
    labels = np.where(labels == 2, 0, labels)
    assert fit_temperature(logits, labels).t > 0
    for one in (fit_platt, fit_isotonic):
        with pytest.raises(DataError, match="no sample is of class 2"):
            one(logits, labels)


def test_an_unknown_method_lists_the_known() -> None:
    with pytest.raises(UnknownNameError, match="temperature"):
        fit("beta", [[0.0, 1.0]] * 2, [0, 1])  # type: ignore[arg-type]


def test_folds_are_fitted_without_their_own_samples() -> None:
    logits, labels = drawn(60, 2, seed=6)
    found = cross_fitted("temperature", logits, labels)
    assert found is not None
    inside = fit_temperature(logits, labels).probabilities(logits)
    assert not np.allclose(found, inside)
    again = cross_fitted("temperature", logits, labels)
    assert again is not None
    assert np.array_equal(found, again)  # the same for the same seed
    rare = np.zeros(60, int)
    rare[3] = 1
    assert cross_fitted("temperature", logits, rare) is None


def test_the_three_kinds_are_what_the_methods_say() -> None:
    logits, labels = drawn(40, 2)
    assert [type(fit(method, logits, labels)) for method in METHODS] == [Temperature, Platt, Isotonic]
