"""The tiny memes head on 500 unseen drawn memes: figures of each member, and what is lost without a modality.

The memes are drawn with a seed that neither training nor calibration used. Members are judged by their own calibrated
probabilities and thresholds. A modality is removed where the other one settles the answer, and everywhere.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from _measured import machine
from scipy.stats import bootstrap
from sklearn.metrics import balanced_accuracy_score, brier_score_loss, f1_score, roc_auc_score

import vlmkit
from vlmkit.calibration import ece
from vlmkit.seen import FILE as SEEN
from vlmkit.seen import Seen
from vlmkit.types import Sample
from vlmkit_plugins.memes.data import read
from vlmkit_plugins.memes.metrics import baselines
from vlmkit_plugins.memes.schema import MEMBERS, Verdict
from vlmkit_plugins.memes.synth import synth

SEED = 987_654
FUSION_F1, EXPERT_BALANCED, FUSION_ECE, LOSS = 0.95, 0.60, 0.05, 0.20
RESAMPLES = 2000


@dataclass(frozen=True)
class Answers:
    """Of one member: truth, label by its threshold, probability of hate, each `[n]`."""

    truth: np.ndarray
    label: np.ndarray
    chance: np.ndarray

    @property
    def error(self) -> float:
        """Expected calibration error: confidence in the given label against how often it is right."""
        sure = np.where(self.label == 1, self.chance, 1 - self.chance)
        return ece(sure, self.label == self.truth)


def answers(samples: Sequence[Sample], found: Sequence[Verdict], member: str | None = None) -> Answers:
    """Of a member, or of whoever answered."""
    label = [one.votes[member] if member else one.label for one in found]
    chance = [one.experts[member] if member else one.prob_hate for one in found]
    return Answers(np.array([one.truth.label for one in samples]), np.array(label), np.array(chance))


def asked(head: Any, samples: Sequence[Sample]) -> list[Verdict]:
    """A verdict each; stops where there is none."""
    found = [answer.value for answer in head.predict_many(samples, batch_size=32) if answer.value is not None]
    if len(found) < len(samples):
        raise SystemExit(f"{len(samples) - len(found)} samples have no answer")
    return found


def require_unseen(checkpoint: Path, samples: Sequence[Sample]) -> None:
    """Stops where the head has learned from one of the samples, whatever it was called there."""
    met = Seen.read(checkpoint / SEEN).meets(samples)
    if met:
        raise SystemExit(f"training saw {len(met.ids)} of these ids and {len(met.contents)} of these contents")
    print(f"{len(samples)} memes, none of them in {checkpoint.name}/{SEEN}, what it has learned from")


def macro(truth: np.ndarray, label: np.ndarray) -> float:
    """Mean F1 of both classes."""
    return float(f1_score(truth, label, average="macro"))


def interval(figure: Callable[..., float], *columns: np.ndarray) -> str:
    """95 %, percentiles of resampled samples."""
    drawn = bootstrap(
        columns, figure, paired=True, vectorized=False, n_resamples=RESAMPLES, method="percentile", rng=0
    ).confidence_interval
    return f"[{drawn.low:.3f}, {drawn.high:.3f}]"


def members(samples: Sequence[Sample], found: Sequence[Verdict], raw: Sequence[Verdict]) -> dict[str, Answers]:
    """A line a member; ECE before is that of its own figures, with the threshold .5."""
    print(f"{'member':<15}{'macro-F1':>9}{'':17}{'balanced':>9}{'AUROC':>8}{'Brier':>8}{'ECE before':>12}{'after':>8}")
    made: dict[str, Answers] = {}
    for member in MEMBERS:
        one, before = answers(samples, found, member), answers(samples, raw, member)
        made[member] = one
        print(
            f"{member:<15}{macro(one.truth, one.label):>9.3f} {interval(macro, one.truth, one.label):<16}"
            f"{balanced_accuracy_score(one.truth, one.label):>9.3f}{roc_auc_score(one.truth, one.chance):>8.3f}"
            f"{brier_score_loss(one.truth, one.chance):>8.3f}{before.error:>12.3f}{one.error:>8.3f}"
        )
    for name, blind in baselines([one.truth for one in samples], [one.id for one in samples], 0).items():
        label = np.array([one.label for one in blind])
        one = made["mm_fusion"]
        print(f"{name:<15}{macro(one.truth, label):>9.3f}{'':17}{balanced_accuracy_score(one.truth, label):>9.3f}")
    return made


def without(head: Any, samples: Sequence[Sample], found: Sequence[Verdict]) -> dict[str, float]:
    """Relative loss of macro-F1 when a modality is removed, by the samples that it is removed from."""
    lost = {}
    removals: Mapping[str, tuple[str, Callable[[Sample], Sample]]] = {
        "text": ("image", lambda sample: replace(sample, text=None)),
        "image": ("text", lambda sample: replace(sample, media={})),
    }
    for gone, (settles, cut) in removals.items():
        less = asked(head, [cut(sample) for sample in samples])
        for where, held in ((f"settled by {settles}", {settles}), ("all", {"text", "image", "both"})):
            at = [k for k, sample in enumerate(samples) if sample.meta["settled_by"] in held]
            some = [samples[k] for k in at]
            whole, part = answers(some, [found[k] for k in at]), answers(some, [less[k] for k in at])
            before, after = macro(whole.truth, whole.label), macro(part.truth, part.label)
            lost[f"without {gone}, {where}"] = 1 - after / before
            print(
                f"without {gone:<6} {where:<17} n {len(at):>4}  macro-F1 {before:.3f} -> {after:.3f}  "
                f"lost {1 - after / before:>6.1%}, balanced {balanced_accuracy_score(part.truth, part.label):.3f}"
            )
    return lost


def verdict(made: Mapping[str, Answers], lost: Mapping[str, float]) -> bool:
    """Print each limit; whether all were kept."""
    fusion = made["mm_fusion"]
    limits = [
        ("fusion macro-F1", macro(fusion.truth, fusion.label), ">=", FUSION_F1),
        ("fusion ECE", fusion.error, "<=", FUSION_ECE),
    ]
    for name in ("text_expert", "vision_expert"):
        one = made[name]
        limits.append(
            (f"{name} balanced accuracy", balanced_accuracy_score(one.truth, one.label), "<=", EXPERT_BALANCED)
        )
    limits += [(f"lost {name}", value, "<=", LOSS) for name, value in lost.items() if "settled" in name]
    good = True
    for name, value, sign, limit in limits:
        kept = value >= limit if sign == ">=" else value <= limit
        good &= kept
        print(f"{name:<42}{value:>7.3f}  wanted {sign} {limit:.2f}: {'kept' if kept else 'BROKEN'}")
    return good


def main() -> None:
    """Measure the shipped head, or a checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="a checkpoint instead of the shipped head")
    parser.add_argument("-n", type=int, default=500, help="memes (default 500)")
    parser.add_argument("--seed", type=int, default=SEED, help=f"of the memes (default {SEED})")
    given = parser.parse_args()
    print(machine("scikit-learn"))
    which: dict[str, Any] = {"model": given.model} if given.model else {"preset": "tiny"}
    head, plain = (vlmkit.load("memes", **which, calibration=mode) for mode in ("full", "none"))
    with tempfile.TemporaryDirectory() as folder:
        synth(Path(folder), given.n, given.seed, 1)
        samples = list(read(Path(folder)))
        require_unseen(given.model or head.task.presets["tiny"].checkpoint, samples)
        found = asked(head, samples)
        made = members(samples, found, asked(plain, samples))
        apart = sum(one.disagree for one in found)
        print(
            f"members disagree on {apart} of {len(found)}; fusion alone is right on "
            f"{sum(_alone(one, sample.truth) for one, sample in zip(found, samples, strict=True))}"
        )
        lost = without(head, samples, found)
    raise SystemExit(not verdict(made, lost))


def _alone(answer: Verdict, truth: Verdict) -> bool:
    others = [vote for name, vote in answer.votes.items() if name != "mm_fusion"]
    return answer.votes["mm_fusion"] == truth.label and truth.label not in others


if __name__ == "__main__":
    main()
