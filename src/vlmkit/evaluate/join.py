"""Answers and samples joined by id."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from vlmkit.errors import DataError
from vlmkit.types import Prediction, Sample

T = TypeVar("T")
V = TypeVar("V")

_NAMED = 5  # ids that a message spells out


@dataclass(frozen=True, eq=False)
class Joined(Generic[T]):
    """Samples with truth in their order, their truths, and the predictions about them; None where there is none.

    Attributes:
        unknown: ids of predictions without a sample. unlabelled: ids of samples without truth.
        predictions: all of them, also those about other samples. every: all samples, each with its prediction.
    """

    samples: tuple[Sample, ...]
    truths: tuple[T, ...]
    answers: tuple[Prediction[T] | None, ...]
    unknown: tuple[str, ...]
    unlabelled: tuple[str, ...]
    predictions: tuple[Prediction[T], ...]
    every: tuple[tuple[Sample, Prediction[T] | None], ...]

    @property
    def values(self) -> list[T | None]:
        """The answers themselves; None where there is no prediction, or one without a value."""
        return [None if answer is None else answer.value for answer in self.answers]

    @property
    def missing(self) -> tuple[str, ...]:
        """Ids of samples without a prediction."""
        return tuple(one.id for one, answer in zip(self.samples, self.answers, strict=True) if answer is None)


def join(samples: Iterable[Sample], predictions: Iterable[Prediction[T]], name: str) -> Joined[T]:
    """Predictions to the samples with the same ids, in any order.

    Raises:
        DataError: an id that comes twice, no sample with truth, or no prediction about any of them. `name` says whose.
    """
    by_id = _unique([(sample.id, sample) for sample in samples], "sample")
    known = labelled(by_id.values(), name)  # before a head is asked, whose predictions these may be
    answers = _unique([(prediction.sample_id, prediction) for prediction in predictions], "prediction")
    _refuse_strangers(list(answers), list(by_id))
    return Joined(
        samples=tuple(known),
        truths=tuple(sample.truth for sample in known),  # type: ignore[misc]  # none of them is None
        answers=tuple(answers.get(sample.id) for sample in known),
        unknown=tuple(key for key in answers if key not in by_id),
        unlabelled=tuple(key for key, sample in by_id.items() if sample.truth is None),
        predictions=tuple(answers.values()),
        every=tuple((sample, answers.get(key)) for key, sample in by_id.items()),
    )


def labelled(samples: Collection[Sample], name: str) -> list[Sample]:
    """Those with truth. Raises `DataError` where there are none; `name` says whose."""
    known = [sample for sample in samples if sample.truth is not None]
    if not known:
        raise DataError(f"{name}: {len(samples)} samples and no truth to compare with")
    return known


def listed(ids: Sequence[str]) -> str:
    """The first few, and how many more there are."""
    rest = len(ids) - _NAMED
    return ", ".join(ids[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def _unique(pairs: Sequence[tuple[str, V]], what: str) -> dict[str, V]:
    joined = dict(pairs)
    if len(joined) < len(pairs):
        twice = [key for key, count in Counter(key for key, _ in pairs).items() if count > 1]
        raise DataError(f"{len(twice)} {what} ids come more than once: {listed(twice)}; ids join answers to truth")
    return joined


def _refuse_strangers(answers: Sequence[str], samples: Sequence[str]) -> None:
    """Predictions of which none is about these samples: a mix-up, and no model that is always wrong."""
    if answers and not set(answers) & set(samples):
        raise DataError(
            f"none of {len(answers)} predictions is about these samples: ids are like {listed(answers[:2])} there "
            f"and like {listed(samples[:2])} here"
        )
