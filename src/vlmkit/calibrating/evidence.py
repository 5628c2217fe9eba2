"""What a head says about samples with truth: logits and true classes, by member or by field."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch

from vlmkit.calibration.figures import ANSWERS, Evidence
from vlmkit.calibration.maps import wrong_right
from vlmkit.decoders.linear import LinearDecoder
from vlmkit.errors import DataError, VlmkitError
from vlmkit.head import Head
from vlmkit.task import Scoring
from vlmkit.types import Prediction, Sample

Said = tuple[Mapping[str, tuple[tuple[float, ...], int]], str | None]
"""Logits and index of the true class by name; or nothing, and the code of the problem that is why."""


def members(head: Head[Any], decoder: LinearDecoder[Any], samples: Sequence[Sample], batch_size: int) -> Iterator[Said]:
    """Logits of every member that can be asked."""
    model, classes = head.model, decoder.classes
    with ThreadPoolExecutor(2) as pool:
        for start in range(0, len(samples), batch_size):
            batch = list(pool.map(model.prepare, samples[start : start + batch_size]))
            good = [one for one in batch if one.usable]
            logits: list[dict[str, tuple[float, ...]]] = [{} for _ in good]
            if good:
                with torch.inference_mode():
                    for name, (rows, owners) in decoder.batch_logits(model.tokens(good)).items():
                        for row, owner in zip(rows.double().tolist(), owners, strict=True):
                            logits[owner][name] = tuple(row)
            found = iter(logits)
            for one in batch:
                if not one.usable:
                    yield {}, next(problem.code for problem in one.problems if problem.fatal)
                    continue
                truth, asked = _class(head, one.sample, classes), next(found)
                yield {name: (row, truth) for name, row in asked.items()}, None if asked else "no_rows"


def _class(head: Head[Any], sample: Sample, classes: Sequence[str]) -> int:
    label = head.task.scoring.label(sample.truth)
    if label not in classes:
        raise DataError(f"sample {sample.id!r} is of class {label!r}; the head tells {', '.join(classes)} apart")
    return classes.index(label)


def answers(head: Head[Any], samples: Sequence[Sample], batch_size: int) -> Iterator[Said]:
    """Log-odds of every closed field and of the whole answer, and whether it is right."""
    scoring = head.task.scoring
    if scoring.fields is None and scoring.right is None:
        raise VlmkitError(
            f"{head.task.name} says neither what its closed fields are nor when an answer is right; give its Scoring "
            "`fields` or `right`"
        )
    for sample, answer in zip(samples, head.predict_many(samples, batch_size), strict=True):
        if answer.value is None:
            yield {}, next(problem.code for problem in answer.problems if problem.fatal)
            continue
        judged = _judged(scoring, sample.truth, answer)
        odds = wrong_right([answer.confidence[name] for name in judged]).tolist()
        found = {name: (tuple(row), int(right)) for (name, right), row in zip(judged.items(), odds, strict=True)}
        yield found, None if found else "no_confidence"


def _judged(scoring: Scoring[Any], truth: Any, answer: Prediction[Any]) -> dict[str, bool]:
    """What is right of an answer, by the names of its confidences."""
    given, wanted = (scoring.fields(one) if scoring.fields else {} for one in (answer.value, truth))
    found = {name: wanted.get(name) == value for name, value in given.items() if name in answer.confidence}
    if scoring.right is not None and "reply" in answer.confidence:
        found["reply"] = scoring.right(truth, answer.value)
    return found


def gathered(said: Iterable[Said], decoder: LinearDecoder[Any] | None) -> tuple[list[Evidence], dict[str, int]]:
    """By member, also of those that no sample asks, or by field, `reply` last; and how many said nothing, by reason."""
    classes = decoder.classes if decoder else ANSWERS
    found = {name: Evidence(name, classes) for name in (decoder.members if decoder else ())}
    left = Counter[str]()
    for figures, reason in said:
        left.update([reason] if reason else ())
        for name, (logits, label) in figures.items():
            found.setdefault(name, Evidence(name, classes)).add(logits, label)
    last = [found.pop(name) for name in ("reply",) if name in found]
    return [*found.values(), *last], dict(left.most_common())
