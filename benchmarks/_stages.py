"""Seconds by stage of one answer of a composed head, and the samples that they are measured with."""

from __future__ import annotations

import statistics
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from vlmkit.types import Limits, Sample
from vlmkit_plugins.purrsight.data import read
from vlmkit_plugins.purrsight.synth import synth

STAGES = ("prepare", "encode", "project", "prefill", "first token", "a token", "whole reply")


def worked_samples(n: int = 60) -> dict[str, Sample]:
    """A drawn picture, a synthesised voice, words, and a film with its sound track, out of the room's own generator."""
    folder = Path(tempfile.mkdtemp(prefix="vlmkit-bench-"))
    synth(folder, n, 0, 1)
    found: dict[str, Sample] = {}
    wanted = {
        "picture": {"image"},
        "sound": {"audio"},
        "words": {"text"},
        "film with sound": {"audio", "video"},
    }
    for sample in read(folder):
        for name, modalities in wanted.items():
            if set(sample.meta["modalities"]) == modalities:
                found.setdefault(name, sample)
    if set(found) != set(wanted):
        raise SystemExit(f"{n} synthetic samples have no {sorted(set(wanted) - set(found))}; raise n")
    return {name: found[name] for name in wanted}


def stages(head: Any, sample: Sample, *, reply: int, repeats: int) -> dict[str, float]:
    """Medians in ms. `first token` is everything up to it; `whole reply` everything up to the last of `reply` tokens.

    `prefill` is the prompt through the language model with its first token; `a token` each one after it.
    """
    rounds = [_round(head, sample, reply) for _ in range(repeats)]
    return {stage: statistics.median(one[stage] for one in rounds) for stage in STAGES}


def _round(head: Any, sample: Sample, reply: int) -> dict[str, float]:
    model, clock = head.model, time.perf_counter
    with torch.inference_mode():
        at = [clock()]
        prepared = model.prepare(sample)
        at.append(clock())
        features = model.features([prepared], every=False)
        at.append(clock())
        tokens = model.project(features)
        at.append(clock())
        used = {modality for modality, rows in tokens.items() if rows.lengths[0]} | ({"text"} if sample.text else set())
        prompt = head.task.prompt(Sample(sample.id, text=sample.text, meta={"used": tuple(sorted(used))}))
        model.llm.generate([prompt], tokens, [None], Limits(max_new_tokens=1))
        at.append(clock())
        (whole,) = model.llm.generate([prompt], tokens, [None], Limits(max_new_tokens=reply))
        at.append(clock())
    if whole.n_new != reply:
        raise SystemExit(f"the reply ended after {whole.n_new} tokens, {reply} were wanted: take other weights")
    prepare, encode, project, prefill, generate = (1e3 * (b - a) for a, b in pairwise(at))
    first = prepare + encode + project + prefill
    return {
        "prepare": prepare,
        "encode": encode,
        "project": project,
        "prefill": prefill,
        "first token": first,
        "a token": (generate - prefill) / (reply - 1),
        "whole reply": first - prefill + generate,
    }
