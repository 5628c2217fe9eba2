"""One sample, decoded for a model's encoders: what they made of it, and what could not be used."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from vlmkit.errors import MediaError
from vlmkit.protocols import Reader
from vlmkit.types import Inputs, Modality, Problem, Sample

_SHUT = frozenset({"missing", "unreadable", "empty", "not_media", "corrupt"})  # reasons why a file is not even opened


@dataclass(frozen=True)
class Prepared:
    """A sample with what each encoder made of it, or with the problems that kept it from being used.

    Attributes:
        sample: without the media that could not be read.
        inputs: one a encoder, in the model's order.
        facts: what encoders measured (a film's true length, say); it joins the sample's meta.
        seen: modalities of which there is something, text included.
        seconds: how long reading took.
    """

    sample: Sample
    inputs: tuple[Inputs, ...]
    problems: tuple[Problem, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    seen: frozenset[Modality] = frozenset()
    seconds: float = 0.0

    @property
    def usable(self) -> bool:
        """Whether the model can be asked about it."""
        return not any(problem.fatal for problem in self.problems)


def prepare(
    sample: Sample, encoders: Sequence[Reader], feeds: Sequence[bool], requires: frozenset[Modality]
) -> Prepared:
    """Read every modality of one sample; see `Model.prepare`.

    Args:
        feeds: one an encoder: whether answers depend on it; the notes of the others are left out.
        requires: modalities without which there is no answer.
    """
    start = time.perf_counter()
    sample, repaired = _readable(sample)
    inputs: list[Inputs] = []
    failed: dict[Modality, MediaError] = {}
    notes: list[Problem] = list(repaired)
    facts: dict[str, Any] = {}
    seen: set[Modality] = {"text"} if sample.has_words else set()
    for encoder, fed in zip(encoders, feeds, strict=True):
        made: dict[str, Any] = {}
        for modality in sorted(encoder.modalities - ({"text"} - seen)):  # blanks are no text to anybody
            try:
                one = dict(encoder.transform(sample, modality) or {})
            except MediaError as error:
                failed[modality] = error
                continue
            facts |= one.pop("facts", {})
            said = one.pop("notes", ())
            notes += said if fed else ()
            seen |= {modality} if one else set()
            made |= one
        inputs.append(made)
    left = replace(sample, media={m: medium for m, medium in sample.media.items() if m not in failed})
    shut = {error.source for modality, error in failed.items() if modality in sample.media and error.reason in _SHUT}
    problems = [
        Problem(f"media_{error.reason}", str(error), modality, modality in requires or not seen)
        for modality, error in failed.items()
        # what cannot be opened has no sound track either: that is said once
        if modality in sample.media or error.source not in shut or error.reason not in _SHUT
    ]
    problems += _missing(sample, encoders, requires, nothing=not (seen or failed))
    return Prepared(left, tuple(inputs), (*problems, *notes), facts, frozenset(seen), time.perf_counter() - start)


def _readable(sample: Sample) -> tuple[Sample, tuple[Problem, ...]]:
    """Half a surrogate pair is no text to any tokenizer."""
    text = (sample.text or "").encode("utf-8", "replace").decode()
    if text == (sample.text or ""):
        return sample, ()
    note = Problem("text_repaired", "the text holds halves of characters; each was read as a question mark", "text")
    return replace(sample, text=text), (note,)


def _missing(
    sample: Sample, encoders: Sequence[Reader], requires: frozenset[Modality], *, nothing: bool
) -> list[Problem]:
    missing = [
        Problem("modality_missing", f"sample {sample.id!r} has no {modality}", modality, fatal=True)
        for modality in sorted(requires - sample.modalities)
    ]
    if nothing and not missing:
        reads = ", ".join(sorted(frozenset[str]({"text"}).union(*(encoder.reads for encoder in encoders))))
        text = f"sample {sample.id!r} has nothing to answer about; wanted one of {reads}"
        missing.append(Problem("nothing_given", text, fatal=True))
    return missing
