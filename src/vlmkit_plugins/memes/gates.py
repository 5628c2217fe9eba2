"""What a data set has to fulfil before it is used: few failures, one balance in all splits, no duplicate across."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from vlmkit.types import Sample
from vlmkit_plugins.memes.splits import leaks

_NAMED = 5  # faults that a message spells out


@dataclass(frozen=True)
class Gates:
    """Limits of a build. Published splits need not fulfil them: those of Hateful Memes differ by 14 points.

    Attributes:
        failure_rate: the share of samples that cannot be read stays below it.
        balance: how far the share of hateful samples in a split may be from that in all of them.
        duplicates: whether samples that are the same may stand in different splits (splits.leaks).
    """

    failure_rate: float = 0.005
    balance: float = 0.05
    duplicates: bool = False

    def faults(self, by_split: Mapping[str, Sequence[Sample]], failures: Mapping[str, str]) -> tuple[str, ...]:
        """Every gate that is shut, a sentence each. `failures` are reasons by id of what is not in `by_split`."""
        found = [*self._failed(by_split, failures), *self._unbalanced(by_split)]
        if not self.duplicates and (shared := [str(leak) for leak in leaks(by_split)]):
            found.append(f"{len(shared)} duplicates across splits: {named(shared)}")
        return tuple(found)

    def _failed(self, by_split: Mapping[str, Sequence[Sample]], failures: Mapping[str, str]) -> Iterable[str]:
        total = len(failures) + sum(map(len, by_split.values()))
        if failures and len(failures) >= self.failure_rate * total:
            told = named([f"{key!r}: {why}" for key, why in failures.items()])
            yield f"{len(failures)} of {total} samples failed, wanted fewer than {self.failure_rate:.1%}: {told}"

    def _unbalanced(self, by_split: Mapping[str, Sequence[Sample]]) -> Iterable[str]:
        whole = positives([sample for samples in by_split.values() for sample in samples])
        for split, samples in by_split.items():
            share = positives(samples)
            if share is not None and whole is not None and abs(share - whole) > self.balance:
                yield (
                    f"{share:.1%} of split {split!r} are hateful and {whole:.1%} of all, wanted at most "
                    f"{100 * self.balance:g} points between them"
                )


def positives(samples: Iterable[Sample]) -> float | None:
    """The share of hateful samples among those of which it is known; None where it is of none."""
    known = [sample.truth.label for sample in samples if sample.truth is not None]
    return sum(known) / len(known) if known else None


def named(faults: Sequence[str]) -> str:
    """The first few, and that there are more."""
    return "; ".join(faults[:_NAMED]) + ("; …" if len(faults) > _NAMED else "")
