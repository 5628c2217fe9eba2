"""How the presets are trained."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from vlmkit.training.stage import Stage
from vlmkit.types import Sample
from vlmkit_plugins.football.schema import WINDOW_S

PLAY = "Play"
_SHIRT = re.compile(r"\bin [a-z]+\b")


def seen_at(sample: Sample, time_s: float) -> str | None:
    """What is to be seen at a moment: the class of the event with the colour of who acts, where the truth says it, and
    `Play` between events; None without a timeline.
    """
    timeline = sample.meta.get("timeline")
    if timeline is None:
        return None
    events = sample.truth.root if sample.truth is not None else ()
    for (label, start, end), event in zip(timeline, events, strict=False):
        if start <= time_s < end:
            shirt = _SHIRT.search(event.description)
            return f"{label} {shirt[0]}" if shirt else str(label)
    return PLAY


_LAST = int(WINDOW_S) + 1

# From random weights the tower has to see first (a probe: what happens, who does it); then the language model learns to
# read its rows, which are kept. Classes and words come early; when an event begins and ends takes most of the steps.
_TINY = (
    Stage(
        "see",
        "probe",
        ("encoder",),
        {"encoder": 2e-3},
        steps=300,
        batch_size=8,
        label_at=seen_at,
        label_names=("timeline",),
    ),
    Stage("read", "sft", ("llm",), {"llm": 1.5e-3}, steps=3400, batch_size=16, sigma=0.7, last_number=_LAST),
)

# LoRA as the original project set it: rank 16, alpha 32, dropout .1, rate 1e-4, one clip at once, four a step.
_LORA = (
    Stage(
        "lora",
        "sft",
        ("lora",),
        {"lora": 1e-4},
        steps=1000,
        batch_size=1,
        accumulate=4,
        warmup=0.1,
        checkpointing=True,
        lora={"role": "llm", "r": 16, "alpha": 32, "dropout": 0.1},
    ),
)

STAGES: Mapping[str, Sequence[Stage]] = {"tiny": _TINY, "cosmos-reason1-7b": _LORA}
