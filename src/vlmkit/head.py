"""A task with a model: what a user holds."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import torch

from vlmkit import checkpoint as checkpoints
from vlmkit.calibration.files import Calibratable
from vlmkit.errors import VlmkitError
from vlmkit.media.slicer import Plan
from vlmkit.media.stream import Source
from vlmkit.media.watch import plan_watch, watch_samples
from vlmkit.model import Model
from vlmkit.seen import truth_sha256
from vlmkit.task import Task
from vlmkit.types import Clip, Image, Limits, Media, Modality, Prediction, Problem, Sample, Sound
from vlmkit.windows import Feed, Progress

if TYPE_CHECKING:
    from vlmkit.evaluate import Report

log = logging.getLogger("vlmkit")

T = TypeVar("T")


class Head(Generic[T]):
    """Answers questions of one task. Made by `vlmkit.load` and `vlmkit.train`."""

    def __init__(
        self,
        task: Task[T],
        model: Model[T],
        provenance: Mapping[str, Any],
        beside: checkpoints.Beside | None = None,
    ) -> None:
        self.task = task
        self.model = model
        self.provenance = dict(provenance)
        self.beside = beside or checkpoints.Beside()

    def predict(
        self,
        *,
        video: str | Path | Clip | None = None,
        image: str | Path | Image | None = None,
        audio: str | Path | Sound | None = None,
        text: str | None = None,
        id: str | None = None,
        limits: Limits | None = None,
        abstain_below: float | None = None,
    ) -> Prediction[T]:
        """One answer. A file that cannot be used is a problem in it, not an exception.

        Args:
            abstain_below: withhold the answer where confidence in it as a whole is lower, or not known; above 0 and up
                to 1. The problem `abstained` says so.

        Raises `VlmkitError` when a modality is given that the task does not read, or nothing at all.
        """
        given: dict[Modality, Media] = {}
        if video is not None:
            given["video"] = video if isinstance(video, Clip) else Clip(video)
        if image is not None:
            given["image"] = image if isinstance(image, Image) else Image(image)
        if audio is not None:
            given["audio"] = audio if isinstance(audio, Sound) else Sound(audio)
        if not given and not Sample("text", text=text).has_words:
            raise VlmkitError(f"nothing to answer about; {self.task.name} reads {', '.join(sorted(self.task.accepts))}")
        sample = Sample(id or _stem(given), given, text)
        self._refuse_unread(sample)
        return next(self.predict_many([sample], limits=limits, abstain_below=abstain_below))

    def predict_many(
        self,
        samples: Iterable[Sample],
        batch_size: int = 8,
        limits: Limits | None = None,
        abstain_below: float | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Iterator[Prediction[T]]:
        """Answers in the samples' order, a batch at a time; the next batch is decoded meanwhile.

        Where the task cuts long films into windows (`task.windowing`), windows of all films go through the same
        batches, each film is decoded once, and there is still one answer a film; see `windows.joined`.

        One bad sample spoils nothing. Raises `VlmkitError` for a modality that the task does not read.

        Args:
            progress: told how far a long film is, after each batch.
        """
        if batch_size < 1:
            raise VlmkitError(f"batch_size is at least 1; given {batch_size}")
        if abstain_below is not None and not 0 < abstain_below <= 1:
            raise VlmkitError(f"abstain_below is a probability above 0 and up to 1; given {abstain_below}")
        prepare, cut = self.model.prepare, self.task.windowing
        feed = Feed(iter(samples), prepare, self._refuse_unread, batch_size, cut, self._plan())
        # What every answer carries; the history of the training stays with the head.
        stamp = {name: value for name, value in self.provenance.items() if name != "training"}
        try:
            while units := feed.take():
                batch = [unit.prepared.result() for unit in units if unit.prepared is not None]
                answers = iter(self.model.answer(batch, limits))
                for unit in units:
                    found = None if unit.prepared is None else _judged(next(answers), abstain_below)
                    if found is not None and unit.film is not None and unit.window is not None:
                        unit.film.add(unit.window, found)
                        if progress is not None:
                            progress(unit.film.progress)
                        continue
                    if found is None and unit.film is not None:
                        found = unit.film.joined()
                    if found is not None:
                        about = {**stamp, **_about(unit.sample), **found.provenance}
                        yield replace(found, provenance=about)
            if feed.stopped_by is not None:
                raise feed.stopped_by
        finally:
            feed.close()

    def _plan(self) -> Plan | None:
        """How long films are cut."""
        cut = self.task.windowing
        if cut is None:
            return None
        specs = [reader.spec for reader in self.model.readers]
        return replace(plan_watch(self.task.accepts, specs, window_s=cut.window_s, step_s=cut.step_s), exact=True)

    def watch(
        self,
        source: Source,
        *,
        window_s: float | None = None,
        step_s: float | None = None,
        modalities: Collection[Modality] | None = None,
        text: str | None = None,
        max_windows: int | None = None,
        limits: Limits | None = None,
    ) -> Iterator[Prediction[T]]:
        """One answer a window of a file, a camera (its number), or an address (`vlmkit.Stream("rtsp://…")`).

        Memory holds one window and what overlaps it. Where a window lies is in its answer's id, `name@start_s`, and
        in `provenance["window"]`. The last one may be shorter; a problem says so, as it does where windows of a live
        source were dropped because answers take longer than they.

        Args:
            step_s: from the start of one window to the next; `window_s` when not given.
            modalities: what to look and listen for; what the task reads when not given.
            text: goes with every window.

        Raises `VlmkitError` at once for a window or modality that cannot be; `MediaError` when the source cannot be
        opened, and, after the last answer, when it broke off.
        """
        specs, cut = [reader.spec for reader in self.model.readers], self.task.windowing
        if window_s is None:
            if cut is None:
                raise VlmkitError(f"{self.task.name} has no window of its own: give window_s, such as window_s=10")
            window_s, step_s = cut.window_s, cut.step_s if step_s is None else step_s
        plan = plan_watch(self.task.accepts, specs, window_s=window_s, step_s=step_s, modalities=modalities)
        return self._watch(watch_samples(source, plan, text=text, max_windows=max_windows), limits)

    def _watch(
        self, windows: Generator[tuple[Sample, tuple[Problem, ...]]], limits: Limits | None
    ) -> Iterator[Prediction[T]]:
        with closing(windows):
            for sample, notes in windows:
                found = next(self.predict_many([sample], limits=limits))
                told = {(problem.code, problem.where) for problem in found.problems}
                new = (note for note in notes if (note.code, note.where) not in told)
                stamp = {**found.provenance, "window": dict(sample.meta)}
                yield replace(found, problems=(*new, *found.problems), provenance=stamp)

    def evaluate(self, data: str | Path, batch_size: int = 8) -> Report:
        """Predict a data folder and compare with its truth; baselines stand beside every figure."""
        from vlmkit.evaluate import evaluate

        samples = list(self.task.read(Path(data)))
        report = evaluate(self.task, samples, self.predict_many(samples, batch_size), model=self.name, data=str(data))
        return replace(report, warnings=(*(self.familiar(samples) or ()), *report.warnings))

    def familiar(self, samples: Sequence[Sample]) -> tuple[str, ...] | None:
        """Why figures about these samples would flatter it: it has learned from some, or is calibrated on them.

        None where nothing is found, and what it has learned from is not all on record.
        """
        said = []
        seen, record = self.beside.seen, self.beside.record
        met = seen.meets(samples) if seen is not None else None
        if met and (known := list(dict.fromkeys((*met.ids, *met.contents)))):
            said.append(
                f"the head has learned from {len(known)} of these {len(samples)} samples, such as {known[0]!r}: "
                "figures about them are too good"
            )
        if record is not None and record.truth_sha256 == truth_sha256(one for one in samples if one.truth is not None):
            said.append("the head is calibrated on these very samples: its probabilities look better than they are")
        return tuple(said) if said or (seen is not None and seen.complete) else None

    @property
    def name(self) -> str:
        """Where the weights come from, in one line."""
        base = self.provenance.get("base") or {}
        return str(self.provenance.get("checkpoint") or base.get("id") or "weights made here")

    def save_pretrained(self, directory: str | Path, *, half: bool = False) -> None:
        """Write a checkpoint that `vlmkit.load` opens; `half` stores weights in 16 bits."""
        checkpoints.save(
            self.model,
            Path(directory),
            self.task,
            preset=self.provenance["preset"],
            training=self.provenance["training"],
            dtype=torch.float16 if half else None,
            beside=self.beside,
        )

    def merge_adapter(self) -> float:
        """Merge the LoRA weights into the base; returns the part of their effect that rounding lost.

        A calibration is dropped: it holds for the numbers that it was fitted to.

        Raises `AdapterError`, and leaves the head as it was, where merged and unmerged logits do not agree.
        """
        if self.model.backbone is None:
            raise VlmkitError("this model takes no LoRA adapter")
        lost = self.model.backbone.merge_adapter()
        self.provenance |= {"adapter": None, "adapted_modules": 0, "checkpoint": None}
        self.provenance["base"] = checkpoints.base_of(self.model)
        self.drop_calibration("the merged weights")
        return lost

    def drop_calibration(self, whose: str) -> None:
        """Go back to the model's own figures: what was fitted does not hold for `whose`. A warning says so."""
        if self.beside.calibration is None:
            return
        log.warning("the calibration does not hold for %s, and was dropped; type: vlmkit calibrate", whose)
        if isinstance(self.model.decoder, Calibratable):
            self.model.decoder.calibration = None
        self.beside = replace(self.beside, calibration=None, record=None)
        self.provenance["calibration"] = None

    def _refuse_unread(self, sample: Sample) -> None:
        if not isinstance(sample, Sample):
            raise VlmkitError(f"a vlmkit.Sample was wanted; given {type(sample).__name__}")
        if unread := sorted(sample.modalities - self.task.accepts):
            reads = ", ".join(sorted(self.task.accepts))
            raise VlmkitError(f"{self.task.name} does not read {', '.join(unread)}; it reads {reads}")

    def __repr__(self) -> str:
        """Task, preset and weights."""
        return f"Head({self.task.name!r}, preset={self.provenance['preset']!r}, weights={self.name!r})"


def _judged(found: Prediction[T], limit: float | None) -> Prediction[T]:
    """The prediction, without its value where the head is less sure of it than the limit."""
    sure = found.confidence.get("reply")
    if limit is None or found.value is None or (sure is not None and sure >= limit):
        return found
    if sure is None:
        text = f"nothing says how sure the whole answer is, so it cannot be held against {limit:g}; it is withheld"
    else:
        text = f"the answer is withheld: its confidence is {sure:.3f}, below {limit:g}"
    return replace(found, value=None, problems=(*found.problems, Problem("abstained", text, "reply", fatal=True)))


def _about(sample: Sample) -> dict[str, Any]:
    """When the answer was given, and what it was asked about: files by modality (null for bytes and arrays), text."""
    inputs = {m: str(one.source) if isinstance(one.source, str | Path) else None for m, one in sample.media.items()}
    text = {"text": sample.text} if sample.text else {}
    return {"timestamp": datetime.now(UTC).isoformat(), "inputs": {**inputs, **text}}


def _stem(media: Mapping[Modality, Media]) -> str:
    for medium in media.values():
        if isinstance(medium.source, str | Path):
            return Path(medium.source).stem
    return "sample" if media else "text"  # as the command line calls it
