"""The question about a clip and the reader of its reply, side by side; and the task that the core asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field, create_model

from vlmkit.decoders.json import JsonDecoder
from vlmkit.protocols import Decoder
from vlmkit.task import BuildOptions, Preset, Task, presets_in
from vlmkit.types import Message, Problem, Prompt, Sample, Slot
from vlmkit_plugins.warehouse import data, metrics, picture, plan, schema, specs, synth
from vlmkit_plugins.warehouse.schema import CLIP_FRAMES, FPS, OPERATIONS, OperationSpan

if TYPE_CHECKING:
    from vlmkit.model import Model
    from vlmkit.training.stage import Stage

SYSTEM = "You name the operations in short films of a packing table."
QUESTION = (
    f"Frames count from 0, {FPS} a second. Answer in JSON: dominant_operation, the operation with most frames; "
    "temporal_segment, its start_frame and the end_frame after its last one; anticipated_next_operation, the one "
    f"that follows the last you see. Operations: {', '.join(OPERATIONS)}."
)
PROMPT = Prompt((Message("system", (SYSTEM,)), Message("user", (Slot("video"), QUESTION))))


def prompt(sample: Sample) -> Prompt:
    """The same question about every clip: system text first, so that its cache can be shared; then the film."""
    return PROMPT


def decoder(*, lenient: bool = False) -> Decoder[OperationSpan]:
    """The reader of replies: the schema's grammar, then what a grammar cannot hold.

    Args:
        lenient: for engines that cannot be held to a grammar.
    """
    return JsonDecoder(OperationSpan, rules=(rules,), narrow=narrow, lenient=lenient)


def rules(value: OperationSpan, sample: Sample) -> tuple[Problem, ...]:
    """The schema's rules, with the film's measured length before a stated one."""
    return schema.rules(value, replace(sample, meta={**sample.meta, "n_frames": n_frames(sample)}))


def narrow(sample: Sample) -> type[BaseModel]:
    """The schema for a clip of this length: a segment cannot end after it."""
    return _span_of(n_frames(sample))


def n_frames(sample: Sample) -> int:
    """Frames of the clip at `FPS`: as measured, else as the data folder says, else a full clip's; at least one."""
    measured = sample.meta.get("video_s")
    stated = sample.meta.get("n_frames", CLIP_FRAMES)
    return min(CLIP_FRAMES, max(1, round(float(measured) * FPS) if measured is not None else int(stated)))


@cache
def _span_of(frames: int) -> type[BaseModel]:
    if frames == CLIP_FRAMES:
        return OperationSpan
    segment = create_model(
        "TemporalSegment",
        start_frame=(int, Field(ge=0, le=frames - 1)),
        end_frame=(int, Field(ge=1, le=frames)),
    )
    fields = {name: (info.annotation, ...) for name, info in OperationSpan.model_fields.items()}
    return create_model("OperationSpan", **{**fields, "temporal_segment": (segment, ...)})  # type: ignore[call-overload,no-any-return]


@cache
def presets() -> Mapping[str, Preset]:
    """What can be loaded by name (presets.json)."""
    return presets_in(Path(__file__).parent)


def build(preset: str, options: BuildOptions) -> Model[OperationSpan]:
    """The model of a preset; imports torch."""
    from vlmkit_plugins.warehouse import recipe

    return recipe.build(preset, options)


def stages(preset: str) -> Sequence[Stage]:
    """How a preset is trained."""
    from vlmkit_plugins.warehouse import stages as plans

    return plans.STAGES[preset]


def task() -> Task[OperationSpan]:
    """The warehouse task."""
    return Task(
        name="warehouse",
        summary="operations at a packing table: what dominates a 5 s clip, from when to when, and what comes next",
        result=OperationSpan,
        accepts=frozenset({"video"}),
        requires=frozenset({"video"}),
        presets=presets(),
        default_preset="qwen2.5-vl-3b",
        prompt=prompt,
        decoder=decoder,
        build=build,
        specs=specs.specs,
        stages=stages,
        read=data.read,
        synth=synth.synth,
        to_json=schema.to_json,
        from_json=schema.from_json,
        scoring=metrics.SCORING,
        plan=plan.lines,
        picture=picture.draw,
    )
