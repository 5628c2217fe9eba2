"""How the presets are trained."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from vlmkit.training.stage import Stage
from vlmkit.types import Sample
from vlmkit_plugins.football.schema import WINDOW_S

PLAY = "Play"
_SHIRT = re.compile(r"#(\d{1,2})\b")


def event_at(sample: Sample, time_s: float) -> str | None:
    """The class that a sample's timeline shows at a moment, `Play` between events; None without a timeline."""
    timeline = sample.meta.get("timeline")
    if timeline is None:
        return None
    return next((str(label) for label, start, end in timeline if start <= time_s < end), PLAY)


def shirt_at(sample: Sample, time_s: float) -> str | None:
    """The number on the shirt of the player who acts at a moment, as the truth describes it; None between events."""
    events = sample.truth.root if sample.truth is not None else ()
    for (_, start, end), event in zip(sample.meta.get("timeline", ()), events, strict=False):
        if start <= time_s < end and (found := _SHIRT.search(event.description)):
            return found[1]
    return None


_LAST = int(WINDOW_S) + 1

# From random weights the tower has to see first (probes: what happens, who does it), the language model has to read
# it (rows kept), and then both tune in together.
_TINY = (
    Stage("see", "probe", ("encoder",), {"encoder": 2e-3}, steps=250, batch_size=8,
          label_at=event_at, label_names=("timeline",)),
    Stage("shirts", "probe", ("encoder",), {"encoder": 1e-3}, steps=250, batch_size=8,
          label_at=shirt_at, label_names=("timeline",)),
    Stage("read", "sft", ("llm",), {"llm": 1.5e-3}, steps=1500, batch_size=16, sigma=0.7, last_number=_LAST),
    Stage("join", "sft", ("encoder", "llm"), {"encoder": 5e-4, "llm": 8e-4}, steps=300, batch_size=8,
          sigma=0.7, last_number=_LAST),
)  # fmt: skip

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
