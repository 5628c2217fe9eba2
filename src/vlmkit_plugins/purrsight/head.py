"""The question about a cat and the reader of its reply, side by side; and the task that the core asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel

from vlmkit.decoders.json import JsonDecoder
from vlmkit.protocols import Decoder
from vlmkit.task import BuildOptions, Preset, Task, presets_in
from vlmkit.types import Message, Modality, Problem, Prompt, Sample, Slot
from vlmkit_plugins.purrsight import data, envelope, metrics, picture, plan, schema, specs, synth
from vlmkit_plugins.purrsight.schema import MARKERS, NOT_OBSERVED, VOCABULARY, CatReport

if TYPE_CHECKING:
    from vlmkit.model import Model
    from vlmkit.training.stage import Stage

TEXT_CHARACTERS = 2000
"""The most of an owner's text that is read; more would leave no place for an answer."""
SLOTS: tuple[Modality, ...] = ("image", "video", "audio")
"""The order in which they stand before the words."""


def _choices(*fields: str) -> str:
    words = {name: ", ".join(str(value) for value in VOCABULARY[name] if value != NOT_OBSERVED) for name in fields}
    return "; ".join(f"{name} ({choices})" for name, choices in words.items())


SYSTEM = "You read the body language and the voice of cats."
QUESTION = (
    f"Answer in JSON. diagnostic.physical_markers: {_choices(*MARKERS)}. diagnostic.classification: "
    f"{_choices('ethogram_group', 'affective_state', 'arousal_level', 'risk_rating')}. Write {NOT_OBSERVED} for what "
    "is not shown. Risk is 4 or 5 if agonistic or distressed, 1 or 2 if routine. behavioral_summary: the cues, in "
    "English. human_actionable_insight: what to do, in Chinese."
)


def prompt(sample: Sample) -> Prompt:
    """A slot for each modality that was really seen, the words that came with the sample as they are, the question."""
    used = used_by(sample) or frozenset()
    words = (sample.text[:TEXT_CHARACTERS], "\n") if sample.text and "text" in used else ()
    slots = tuple(Slot(modality) for modality in SLOTS if modality in used)
    return Prompt((Message("system", (SYSTEM,)), Message("user", (*slots, *words, QUESTION))))


def decoder() -> Decoder[CatReport]:
    """The reader of replies: the schema's grammar with its risk rule, narrowed to what was seen."""
    return JsonDecoder(CatReport, rules=(rules,), narrow=narrow)


def narrow(sample: Sample) -> type[BaseModel]:
    """The schema for what was seen of this sample; the whole one where that is unknown."""
    used = used_by(sample)
    return CatReport if used is None else schema.narrow(used)


def rules(value: CatReport, sample: Sample) -> tuple[Problem, ...]:
    """A marker that nothing in the sample can show is invented, and fatal. A long text is cut, and said."""
    used = used_by(sample)
    if used is None:
        return ()
    markers = value.diagnostic.physical_markers
    n = len(sample.text or "")
    text = f"the text has {n} characters, and its first {TEXT_CHARACTERS} were read"
    cut = (Problem("text_cut", text, "text"),) if n > TEXT_CHARACTERS else ()
    return (
        cut
        + _unfounded(value)
        + tuple(
            Problem(
                "marker_invented",
                f"{marker} is said to be {getattr(markers, marker)!r}, which {' and '.join(sorted(used))} cannot show",
                where=f"diagnostic.physical_markers.{marker}",
                fatal=True,
            )
            for marker in schema.absent_markers(used)
            if getattr(markers, marker) != NOT_OBSERVED
        )
    )


def _unfounded(value: CatReport) -> tuple[Problem, ...]:
    """A meaning without any marker that was observed is made up, and fatal."""
    fields = value.fields
    if any(fields[marker] != NOT_OBSERVED for marker in MARKERS):
        return ()
    stated = [name for name, said in fields.items() if said != NOT_OBSERVED]
    text = f"no marker was observed, and yet {', '.join(stated)} would be stated"
    return (Problem("nothing_observed", text, where="diagnostic.classification", fatal=True),) if stated else ()


def used_by(sample: Sample) -> frozenset[Modality] | None:
    """What the model really saw (`meta["used"]`); before that what the sample brings; None where neither is known."""
    if "used" in sample.meta:
        return frozenset(sample.meta["used"])
    return sample.modalities or None


@cache
def presets() -> Mapping[str, Preset]:
    """What can be loaded by name (presets.json)."""
    return presets_in(Path(__file__).parent)


def build(preset: str, options: BuildOptions) -> Model[CatReport]:
    """The model of a preset; imports torch."""
    from vlmkit_plugins.purrsight import recipe

    return recipe.build(preset, options)


def stages(preset: str) -> Sequence[Stage]:
    """How a preset is trained."""
    from vlmkit_plugins.purrsight import stages as plans

    return plans.STAGES[preset]


def task() -> Task[CatReport]:
    """The PurrSight task."""
    return Task(
        name="purrsight",
        summary="a cat's body language and voice, in pictures, films, sounds and words: what it shows, how risky it is",
        result=CatReport,
        accepts=frozenset({"image", "audio", "text", "video"}),
        requires=frozenset(),
        presets=presets(),
        default_preset="qwen2.5-0.5b",
        prompt=prompt,
        decoder=decoder,
        build=build,
        specs=specs.specs,
        stages=stages,
        read=data.read,
        synth=synth.synth,
        to_json=envelope.to_json,
        from_json=envelope.from_json,
        scoring=metrics.SCORING,
        plan=plan.lines,
        picture=picture.draw,
    )
