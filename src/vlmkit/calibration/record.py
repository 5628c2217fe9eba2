"""What `vlmkit.json` keeps of a calibration: on which data it was fitted, what it did, and whether that was checked."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from vlmkit.calibration.fit import Method


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Change(_Strict):
    """A figure without a calibration, with one fitted on other samples (five folds), and with the map that is served.

    `inside` is of the fit's own samples, hence too good. None for a log loss without end: what happened was held
    impossible.
    """

    before: float | None
    after: float | None
    inside: float | None


class Chosen(_Strict):
    """A threshold, and its figures on the samples that it was chosen on: too good for others."""

    value: float
    f1: float
    macro_f1: float
    precision: float
    recall: float


class Fitted(_Strict):
    """One map. `positives` are of class 1 of two (right ones, where the classes are wrong and right), else None."""

    n: int
    positives: int | None
    method: Method
    ece: Change
    brier: Change
    log_loss: Change
    threshold: Chosen | None = None
    notes: tuple[str, ...] = ()


class Record(_Strict):
    """One call of `vlmkit calibrate`.

    Attributes:
        vlmkit: the version. data: name of the folder. truth_sha256: digest of its ids and truths.
        n: samples with truth that were answered; `left_out` says how many were not used, by reason.
        threshold: by which rule thresholds were chosen; None for heads without any.
        checked_against_training: whether every training sample of the head is on record, and none of these is one.
        names: by member or field.
    """

    vlmkit: str
    data: str
    truth_sha256: str
    n: int
    left_out: dict[str, int]
    threshold: str | None
    checked_against_training: bool
    names: dict[str, Fitted]
    warnings: tuple[str, ...] = ()
