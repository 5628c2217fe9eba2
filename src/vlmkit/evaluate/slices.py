"""The same figures of the samples that share something: a data set, a language, a camera."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from vlmkit.evaluate import weighted
from vlmkit.evaluate.answered import Answered
from vlmkit.evaluate.bootstrap import Array, reaching
from vlmkit.evaluate.figures import Interval, SliceRow
from vlmkit.evaluate.probabilities import TWO, Probabilities, sklearn_metrics
from vlmkit.task import Scoring
from vlmkit.types import Sample

T = TypeVar("T")

FEW = 30  # samples; below this a percentile interval is too narrow to be believed
FEW_OF_A_CLASS = 10
MOST = 40  # slices a table; the rest are counted together in a warning


@dataclass(frozen=True, eq=False)
class Slice:
    """The samples of a table that lie in one slice, `inside`, and those that lie in another one, `outside`."""

    table: str
    name: str
    whole: Answered
    inside: NDArray[np.intp]
    outside: NDArray[np.intp]

    def means(self) -> dict[str, float]:
        """All figures of the slice; where there are two classes with probabilities also BPSN and BNSP AUC.

        Its AUROC is the subgroup AUC. BPSN: positives of the background against negatives of the slice; BNSP: the
        other way round; low where the slice alone raises, or lowers, the score (Borkan et al. 2019, arXiv 1903.04561).
        NaN where either side is empty. Raises `MissingExtraError`.
        """
        found = self.whole.part(self.inside).compared()
        judged = self.whole.probabilities
        if judged is not None and len(judged.classes) == TWO:
            metrics = sklearn_metrics()
            for name, where in self._crossed(judged).items():
                positive = judged.truth[where] == 1
                both = positive.any() and not positive.all()
                found[name] = float(metrics.roc_auc_score(positive, judged.values[where, 1])) if both else float("nan")
        return found

    def drawn(self, weights: Array) -> dict[str, Array]:
        """The same of every resample of all samples: the size of the slice varies with the draw."""
        found = self.whole.part(self.inside).compared_draws(weights[:, self.inside])
        judged = self.whole.probabilities
        if judged is not None and len(judged.classes) == TWO:
            for name, where in self._crossed(judged).items():
                found[name] = weighted.auroc(judged.values[where, 1], judged.truth[where] == 1, weights[:, where])
        return found

    def row(self, intervals: Mapping[str, Interval]) -> SliceRow:
        """One line of the table."""
        means = self.means()
        return SliceRow(self.name, len(self.inside), means, reaching(intervals, means), ", ".join(self._few()))

    def _crossed(self, judged: Probabilities) -> dict[str, NDArray[np.intp]]:
        inside, outside = judged.truth[self.inside], judged.truth[self.outside]
        return {
            "BPSN AUC": np.concatenate([self.outside[outside == 1], self.inside[inside == 0]]),
            "BNSP AUC": np.concatenate([self.outside[outside == 0], self.inside[inside == 1]]),
        }

    def _few(self) -> Iterator[str]:
        if len(self.inside) < FEW:
            yield f"{len(self.inside)} samples"
        label = self.whole.label
        known = [truth for truth in dict.fromkeys(label.truths) if truth is not None]
        if len(known) == TWO:
            truths = [label.truths[place] for place in self.inside]
            yield from (f"{truths.count(name)} of {name!r}" for name in known if truths.count(name) < FEW_OF_A_CLASS)


def slices_of(scoring: Scoring[T], samples: Sequence[Sample], whole: Answered) -> tuple[list[Slice], list[str]]:
    """Every slice of every table, the largest first, and what was left out, as warnings."""
    if scoring.slices is None:
        return [], []
    named = [scoring.slices(sample) for sample in samples]
    found, left_out = [], []
    for table in dict.fromkeys(table for row in named for table in row):
        members: dict[str, list[int]] = {}
        for place, row in enumerate(named):
            if table in row:
                members.setdefault(row[table], []).append(place)
        order = sorted(members, key=lambda name: (-len(members[name]), name))
        every = np.array(sorted(place for places in members.values() for place in places), dtype=np.intp)
        for name in order[:MOST]:
            inside = np.array(members[name], dtype=np.intp)
            found.append(Slice(table, name, whole, inside, np.setdiff1d(every, inside)))
        if len(order) > MOST:
            rest = sum(len(members[name]) for name in order[MOST:])
            left_out.append(
                f"table {table!r} shows its {MOST} largest slices; {len(order) - MOST} more hold {rest} samples"
            )
    return found, left_out
