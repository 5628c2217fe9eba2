"""Fitting a map: logits and the true classes in, a few numbers out. By scipy and scikit-learn, extra `report`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vlmkit.calibration.maps import Array, Isotonic, Map, Platt, Temperature, against_rest, table
from vlmkit.errors import DataError, MissingExtraError, UnknownNameError

Method = Literal["temperature", "platt", "isotonic"]
METHODS: tuple[Method, ...] = get_args(Method)

COLDEST, HOTTEST = 1e-2, 1e2  # bounds of a temperature: beyond them all answers are 0 or 1, or all are alike
_AT_BOUND = 1e-3  # relative


def fit(method: Method, logits: ArrayLike, labels: ArrayLike) -> Map:
    """The map of that method. Raises `UnknownNameError` for another method, and what its function raises."""
    if method not in _FITS:
        raise UnknownNameError("calibration method", method, METHODS)
    return _FITS[method](logits, labels)


def fit_temperature(logits: ArrayLike, labels: ArrayLike) -> Temperature:
    """The temperature with the least log loss, from `COLDEST` to `HOTTEST` (L-BFGS-B on its logarithm).

    Args:
        logits: `[n, k]`. labels: `[n]`, the index of the true class.

    Raises:
        DataError: fewer than two samples, one class only, logits that are NaN or infinite, labels without a column.
        MissingExtraError: scipy is not installed.
    """
    rows, truth = _given(logits, labels)
    try:
        from scipy.optimize import minimize
    except ImportError:
        raise MissingExtraError("scipy", "report") from None
    bounds = math.log(COLDEST), math.log(HOTTEST)

    def loss(log_t: Array) -> tuple[float, float]:
        """Mean negative log-likelihood, and its derivative by log T."""
        scaled = rows * math.exp(-float(log_t[0]))
        scaled = scaled - scaled.max(axis=1, keepdims=True)
        powers = np.exp(scaled)
        p = powers / powers.sum(axis=1, keepdims=True)
        true = np.take_along_axis(scaled, truth[:, None], axis=1)[:, 0]
        lost = np.log(powers.sum(axis=1)) - true
        return float(lost.mean()), float((true - (p * scaled).sum(axis=1)).mean())

    # Where all logits are tiny or huge the curve is flat around 1: the search begins where it is not.
    start = min(np.linspace(*bounds, 17), key=lambda one: loss(np.array([one]))[0])
    exact = {"ftol": 1e-15, "gtol": 1e-10, "maxiter": 200}
    found = minimize(loss, [start], jac=True, method="L-BFGS-B", bounds=[bounds], options=exact)
    return Temperature(math.exp(float(found.x[0])))


def fit_platt(logits: ArrayLike, labels: ArrayLike) -> Platt:
    """Slope and intercept by logistic regression without a penalty, towards Platt's softened targets.

    The targets (`(n₊ + 1) / (n₊ + 2)` and `1 / (n₋ + 2)`, Platt 1999) keep the slope finite where classes are fully
    apart. Arguments and errors as for `fit_temperature`; for more than two classes each has to come.
    """
    z, hits = _one_a_class(logits, labels)
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError:
        raise MissingExtraError("sklearn", "report") from None
    lines = []
    for column, hit in zip(z.T, hits.T, strict=True):
        scale = float(np.abs(column).max()) or 1.0  # the solver stops too early on tiny or huge logits
        n = int(hit.sum())
        target = np.where(hit, (n + 1) / (n + 2), 1 / (len(hit) - n + 2))
        twice = np.concatenate([column, column])[:, None] / scale
        solver = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000)
        solver.fit(twice, np.repeat([1, 0], len(hit)), sample_weight=np.concatenate([target, 1 - target]))
        lines.append((float(solver.coef_[0, 0]) / scale, float(solver.intercept_[0])))
    slopes, intercepts = zip(*lines, strict=True)
    return Platt(tuple(slopes), tuple(intercepts))


def fit_isotonic(logits: ArrayLike, labels: ArrayLike) -> Isotonic:
    """The rising curve with the least squared error. Arguments and errors as for `fit_platt`.

    It has as many degrees of freedom as the samples have steps; below about 1,000 samples it learns them by heart.
    """
    z, hits = _one_a_class(logits, labels)
    try:
        from sklearn.isotonic import IsotonicRegression
    except ImportError:
        raise MissingExtraError("sklearn", "report") from None
    x, y = [], []
    for column, hit in zip(z.T, hits.T, strict=True):
        curve = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip")
        curve.fit(np.exp(-np.logaddexp(0, -column)), hit)
        x.append(tuple(curve.X_thresholds_.tolist()))
        y.append(tuple(curve.y_thresholds_.tolist()))
    return Isotonic(tuple(x), tuple(y))


def cross_fitted(method: Method, logits: ArrayLike, labels: ArrayLike, folds: int = 5, seed: int = 0) -> Array | None:
    """Probabilities `[n, k]`, each by a map fitted without its fold: their error is not that of the fit's data.

    Folds are stratified, and as many as the rarest class has samples if those are fewer. None where a class has one
    sample only, so that some fold would be fitted on fewer classes. Raises as the method does.
    """
    rows, truth = _given(logits, labels)
    classes, counts = np.unique(truth, return_counts=True)
    folds = min(folds, int(counts.min()))
    if folds < 2:
        return None
    rng, fold = np.random.default_rng(seed), np.empty(len(truth), int)
    for each in classes:
        fold[rng.permutation(np.flatnonzero(truth == each))] = np.arange((truth == each).sum()) % folds
    found = np.empty_like(rows)
    for index in range(folds):
        found[fold == index] = fit(method, rows[fold != index], truth[fold != index]).probabilities(rows[fold == index])
    return found


def notes(found: Map) -> tuple[str, ...]:
    """What is odd about a map: a temperature at its upper bound."""
    if isinstance(found, Temperature) and math.isclose(found.t, HOTTEST, rel_tol=_AT_BOUND):
        why = "the logits say little about the truth, or are all off by one factor (then platt helps)"
        return (f"the temperature is at its bound of {HOTTEST:g}: {why}",)
    return ()


def worse_than_none(found: Map) -> str | None:
    """Why a map is no calibration: it makes every answer certain, or turns answers round. None for one that is."""
    if isinstance(found, Temperature) and math.isclose(found.t, COLDEST, rel_tol=_AT_BOUND):
        return "no error is among the samples, so nothing says how sure is too sure; bring more, or take platt"
    if isinstance(found, Platt) and min(found.slope) < 0:
        return f"its slope would be {min(found.slope):.3g}: the surer, the less often right"
    return None


_FITS: Mapping[str, Callable[[Any, Any], Map]] = {
    "temperature": fit_temperature,
    "platt": fit_platt,
    "isotonic": fit_isotonic,
}


def _given(logits: ArrayLike, labels: ArrayLike) -> tuple[Array, NDArray[np.intp]]:
    rows, truth = table(logits), np.asarray(labels)
    if truth.shape != (len(rows),) or not np.isin(truth, range(rows.shape[1])).all():
        raise DataError(f"wanted {len(rows)} labels, each a column of the logits from 0 to {rows.shape[1] - 1}")
    if len(rows) < 2:
        raise DataError(f"{len(rows)} samples: nothing can be fitted to them; give 30 or more")
    if len(set(truth.tolist())) == 1:
        raise DataError(f"all {len(rows)} samples are of class {truth[0]}: give samples of every class")
    return rows, truth.astype(np.intp)


def _one_a_class(logits: ArrayLike, labels: ArrayLike) -> tuple[Array, NDArray[np.bool_]]:
    """`z` and whether the class is the true one: `[n, 1]` of class 1 for two classes, else `[n, k]`."""
    rows, truth = _given(logits, labels)
    classes = [1] if rows.shape[1] == 2 else range(rows.shape[1])
    hits = np.stack([truth == each for each in classes], axis=1)
    if absent := [each for each, hit in zip(classes, hits.T, strict=True) if not hit.any()]:
        raise DataError(f"no sample is of class {absent[0]}: give samples of every class, or take a temperature")
    return against_rest(rows), hits
