"""How verdicts are compared with the truth, what answers that never look would get, and the table of errors.

The class `1`, hate, is the positive one. A missing answer counts as wrong in each figure that a truth asks for, and
is no false alarm.

- `accuracy`; `balanced_accuracy`: the mean of the recalls of both classes, 0.5 for whoever never looks.
- `recall_hate`: called so among the hateful; `precision_hate`: hateful among what was called so; `f1_hate`: of that
  class alone; `macro_f1`: the mean over both.
- `micro_f1`: over all answers; the accuracy, where every sample has one.
- `valid`: there is an answer.

Beside the head's answer stand, as rivals, those of its experts by their own thresholds: a fusion has to beat them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vlmkit.errors import DataError
from vlmkit.evaluate.f1 import f1_counts, macro_f1
from vlmkit.task import Scoring
from vlmkit.types import Prediction, Sample
from vlmkit_plugins.memes.schema import Bit, Member, Verdict

CLASSES = ("0", "1")
EXPERTS: tuple[Member, ...] = ("text_expert", "vision_expert")
SLICES = ("dataset", "settled_by", "functionality", "target_ident", "language")
"""What of a sample's meta has a table of its own: of synthetic memes, and of HateCheck (Röttger et al., 2021)."""
COLUMNS = (
    "id", "text", "label", "text_prob", "text_pred", "vision_prob", "vision_pred", "fusion_prob", "fusion_pred",
    "fusion_error_type", "all_models_agree", "fusion_correct_both_wrong", "answered_by", "answer", "problems",
)  # fmt: skip
"""Of `errors.csv`, behind the `index` that the evaluator gives; the last three are of the answer itself."""
_STEMS: Mapping[str, Member] = {"text": "text_expert", "vision": "vision_expert", "fusion": "mm_fusion"}
_ERROR_TYPES = {(1, 1): "TP", (0, 0): "TN", (0, 1): "FP", (1, 0): "FN"}


def row(truth: Verdict, answer: Verdict | None) -> dict[str, float | None]:
    """The figures of one sample."""
    right = float(answer is not None and answer.label == truth.label)
    return {"accuracy": right, "recall_hate": right if truth.label else None}


def counts(truth: Verdict, answer: Verdict | None) -> dict[str, float]:
    """What the figures that are no means of samples are made from."""
    return f1_counts("label", str(truth.label), str(answer.label) if answer else None)


def combine(means: Mapping[str, float]) -> dict[str, float]:
    """Precision, the F1 figures, balanced accuracy; NaN where nothing defines them."""
    true, said, hit = (
        {name: means.get(f"label={name}:{what}", 0.0) for name in CLASSES} for what in ("true", "said", "hit")
    )
    return {
        "balanced_accuracy": sum(_ratio(hit[name], true[name]) for name in CLASSES) / len(CLASSES),
        "precision_hate": _ratio(hit["1"], said["1"]),
        "f1_hate": _ratio(2 * hit["1"], true["1"] + said["1"]),
        "macro_f1": macro_f1("label", means),
        "micro_f1": _ratio(2 * sum(hit.values()), sum(true.values()) + sum(said.values())),
    }


def checks(sample: Sample, answer: Verdict | None) -> dict[str, float | None]:
    """What every legal answer fulfils: that it is there."""
    del sample
    return {"valid": float(answer is not None)}


def baselines(truths: Sequence[Verdict], ids: Sequence[str], seed: int) -> dict[str, list[Verdict]]:
    """What can be answered without looking: one answer an id, for each of three ways.

    - `constant`: never hate. `majority`: always the more frequent label; not hate where both are as frequent.
    - `chance`: hate as often as in `truths`, at random; the same for the same seed.

    All hold hate as probable as it is frequent in `truths`. Raises `DataError` without truths.
    """
    if not truths:
        raise DataError("baselines learn from truths, and none was given")
    prior = sum(truth.label for truth in truths) / len(truths)
    drawn = (np.random.default_rng(seed).random(len(ids)) < prior).tolist()
    return {
        "constant": [_blind(0, prior)] * len(ids),
        "majority": [_blind(1 if prior > 0.5 else 0, prior)] * len(ids),
        "chance": [_blind(1 if hate else 0, prior) for hate in drawn],
    }


def rivals(answer: Verdict) -> dict[str, Verdict]:
    """What each expert says by its own threshold, where another member answered; an answer keeps no logits of theirs.

    Empty for answers out of a file, which holds nothing of the experts.
    """
    return {
        name: Verdict(
            prob_hate=answer.experts[name],
            label=answer.votes[name],
            model=name,
            threshold=answer.thresholds[name],
            logits=(0.0, 0.0),
        )
        for name in EXPERTS
        if name in answer.votes and name != answer.model
    }


def slices(sample: Sample) -> dict[str, str]:
    """The slice of a sample in each table that it belongs to."""
    given = "+".join(modality for modality in ("text", "image") if modality in sample.modalities) or "nothing"
    return {"given": given, **{name: str(sample.meta[name]) for name in SLICES if sample.meta.get(name) is not None}}


def columns(sample: Sample, prediction: Prediction[Verdict] | None) -> dict[str, Any]:
    """One line of `errors.csv`. Cells are empty where a member could not be asked, or the truth is not known.

    `…_prob` is that member's probability of hate and `…_pred` its label by its own threshold; `all_models_agree` and
    `fusion_correct_both_wrong` are 0 or 1, and need all three members.
    """
    answer = prediction.value if prediction is not None else None
    truth = sample.truth.label if isinstance(sample.truth, Verdict) else None
    line: dict[str, Any] = dict.fromkeys(COLUMNS, "")
    line |= {"id": sample.id, "text": sample.text or "", "label": "" if truth is None else truth}
    if prediction is not None:
        line["problems"] = " ".join(problem.code for problem in prediction.problems)
    votes: dict[str, Bit] = {}
    if answer is not None:
        line |= {"answered_by": answer.model, "answer": answer.label}
        votes = {**answer.votes, answer.model: answer.label}
        probabilities = {**answer.experts, answer.model: answer.prob_hate}
        for stem, member in _STEMS.items():
            line[f"{stem}_prob"], line[f"{stem}_pred"] = probabilities.get(member, ""), votes.get(member, "")
    fusion = votes.get("mm_fusion")
    if truth is not None and fusion is not None:
        line["fusion_error_type"] = _ERROR_TYPES[truth, fusion]
    if all(member in votes for member in _STEMS.values()):
        others = [votes[name] for name in EXPERTS]
        line["all_models_agree"] = int(others == [fusion, fusion])
        if truth is not None:
            line["fusion_correct_both_wrong"] = int(fusion == truth and truth not in others)
    return line


def _blind(label: Bit, prior: float) -> Verdict:
    """An answer that knows nothing but the prior: its threshold stands where it gives that label."""
    if label:
        return Verdict(prob_hate=prior, label=1, model="truth", threshold=0.0, logits=(0.0, 0.0))
    below_one = min(prior, math.nextafter(1.0, 0.0))  # 1.0 reaches every threshold
    return Verdict(prob_hate=below_one, label=0, model="truth", threshold=1.0, logits=(0.0, 0.0))


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


SCORING = Scoring(
    row=row,
    combine=combine,
    baselines=baselines,
    label=lambda verdict: str(verdict.label),
    counts=counts,
    checks=checks,
    fields=lambda verdict: {"label": str(verdict.label)},
    right=lambda truth, answer: truth.label == answer.label,
    probabilities=lambda verdict: {"0": 1.0 - verdict.prob_hate, "1": verdict.prob_hate},
    thresholds=lambda verdict: {"1": verdict.threshold},
    rivals=rivals,
    slices=slices,
    inputs=frozenset({"caption", "lang"}),
    columns=columns,
)
