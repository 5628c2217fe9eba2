"""Who is asked about a meme and what their scores mean, side by side; and the task that the core asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from vlmkit.errors import WiringError
from vlmkit.task import BuildOptions, Preset, Task, presets_in
from vlmkit.types import Lane, Problem, Sample
from vlmkit_plugins.memes import data, evidence, metrics, picture, plan, schema, specs, synth
from vlmkit_plugins.memes.schema import Verdict

if TYPE_CHECKING:
    from vlmkit.decoders.linear import LinearDecoder, Scores
    from vlmkit.model import Model
    from vlmkit.training.stage import Stage

CLASSES = ("0", "1")
"""Not hateful, hateful: the names that `Verdict.label` has as a number."""


def verdict(scores: Scores, sample: Sample) -> tuple[Verdict, Sequence[Problem]]:
    """What the answering member says, with the probabilities and thresholds of all that were asked."""
    member = scores.member
    found = {
        "prob_hate": scores.probabilities[member][1],
        "label": int(scores.label()),
        "model": member,
        "threshold": scores.thresholds[member],
        "logits": scores.logits[member],
        "experts": {name: p[1] for name, p in scores.probabilities.items()},
        "thresholds": dict(scores.thresholds),
    }
    return Verdict.model_validate(found), ()


def decoder(widths: Mapping[Lane, int] | None = None) -> LinearDecoder[Verdict]:
    """A classifier for the fusion and for each expert; the first whose modalities are there answers.

    Args:
        widths: of the rows by lane; a model has its own, who only asks for the contract needs none.
    """
    from vlmkit.decoders.linear import LinearDecoder, Member

    members = {
        "mm_fusion": Member("fused", needs=("text", "image")),
        "text_expert": Member("text"),
        "vision_expert": Member("image"),
    }
    dims = widths or {"fused": 1, "text": 1, "image": 1}
    return LinearDecoder(members, dims, verdict=verdict, write=Verdict.model_dump_json, classes=CLASSES)


@cache
def presets() -> Mapping[str, Preset]:
    """What can be loaded by name (presets.json)."""
    return presets_in(Path(__file__).parent)


def build(preset: str, options: BuildOptions) -> Model[Verdict]:
    """The model of a preset; imports torch. Raises `WiringError` for an engine that this task has not."""
    if options.engine != "local":
        raise WiringError(
            f"memes has no language model, so engine {options.engine!r} has nothing to run; leave it out, or give "
            "engine='local' (--engine local)"
        )
    from vlmkit_plugins.memes import recipe

    return recipe.build(preset, options)


def stages(preset: str) -> Sequence[Stage]:
    """How a preset is trained."""
    from vlmkit_plugins.memes import stages as plans

    return plans.STAGES[preset]


def task() -> Task[Verdict]:
    """The memes task."""
    return Task(
        name="memes",
        summary="whether a meme is hateful: by its words and its picture together, calibrated, with evidence",
        result=Verdict,
        accepts=frozenset({"image", "text"}),
        requires=frozenset(),
        presets=presets(),
        default_preset="mdeberta-siglip",
        prompt=None,
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
        explain=evidence.explain,
    )
