"""The question about a clip and the reader of its reply, side by side; and the task that the core asks for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from vlmkit.decoders.json import JsonDecoder
from vlmkit.protocols import Decoder
from vlmkit.settings import Settings
from vlmkit.task import BuildOptions, Preset, Task, presets_in
from vlmkit.types import Message, Prompt, Sample, Slot
from vlmkit_plugins.football import (
    answers,
    data,
    mending,
    merging,
    metrics,
    picture,
    plan,
    results,
    schema,
    specs,
    synth,
)
from vlmkit_plugins.football.schema import WINDOW_S, Events

if TYPE_CHECKING:
    from vlmkit.model import Model
    from vlmkit.training.stage import Stage

# Word for word what adapters of the original project were trained with; another sentence is another task to them.
QUESTION = (
    "Analyze the following football clip. Identify all significant events including goals, cards, and shots. "
    "For each event, provide a detailed description including player, team, and jersey info, the event class, and "
    "precise start/end timestamps. Output *only* a valid JSON array."
)
PROMPT = Prompt((Message("user", (Slot("video"), QUESTION)),))


def prompt(sample: Sample) -> Prompt:
    """The same question about every clip."""
    return PROMPT


def decoder(*, lenient: bool = False) -> Decoder[Events]:
    """The reader of replies: the clip's own grammar, then a sieve for what a grammar cannot hold.

    Args:
        lenient: for engines that cannot be held to a grammar; times and classes may then have any spelling.
    """
    return JsonDecoder(Events, sieve=schema.sieve, narrow=narrow, lenient=lenient, mend=mending.mend)


def narrow(sample: Sample) -> type[BaseModel]:
    """The schema for a clip of this length: times up to the second that it ends in."""
    return schema.reply_of(max(1, math.ceil(float(sample.meta.get("video_s", WINDOW_S)) - 1e-6)))


@cache
def presets() -> Mapping[str, Preset]:
    """What can be loaded by name (presets.json)."""
    return presets_in(Path(__file__).parent)


def build(preset: str, options: BuildOptions) -> Model[Events]:
    """The model of a preset; imports torch."""
    from vlmkit_plugins.football import recipe

    return recipe.build(preset, options)


def stages(preset: str) -> Sequence[Stage]:
    """How a preset is trained."""
    from vlmkit_plugins.football import stages as plans

    return plans.STAGES[preset]


def settings(given: Mapping[str, Any]) -> Settings:
    """`.env` and environment, below the command line; what reads them comes with the extra `football`."""
    from vlmkit_plugins.football import settings as keys

    return keys.read(given)


def task() -> Task[Events]:
    """The football task."""
    return Task(
        name="football",
        summary="events in match video: what happens, who does it, and from when to when; films of any length",
        result=Events,
        accepts=frozenset({"video"}),
        requires=frozenset({"video"}),
        presets=presets(),
        default_preset="cosmos-reason1-7b",
        prompt=prompt,
        decoder=decoder,
        build=build,
        specs=specs.specs,
        stages=stages,
        read=data.read,
        synth=synth.synth,
        to_json=schema.to_json,
        from_json=schema.from_json,
        line=schema.line,
        scoring=metrics.SCORING,
        plan=plan.lines,
        picture=picture.draw,
        windowing=merging.WINDOWING,
        results=results.write,
        settings=settings,
        answers=answers.read,
    )
