"""What a plugin registers: one task, everything about it that the core has to ask."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from vlmkit.errors import UnknownNameError, VlmkitError
from vlmkit.protocols import Decoder
from vlmkit.remote import Server
from vlmkit.settings import Settings
from vlmkit.types import Modality, Prediction, Problem, Prompt, Sample

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vlmkit.head import Head
    from vlmkit.model import Model
    from vlmkit.training.stage import Stage

T = TypeVar("T")

Weights = Literal["pretrained", "random"]
Engine = Literal["local", "vllm", "openai"]
Precision = Literal["auto", "fp32", "bf16", "fp16", "int8", "int4"]


@dataclass(frozen=True)
class Preset:
    """A named choice of weights. `sources` says where they come from, one line a part."""

    name: str
    summary: str
    sources: Mapping[str, str]
    synthetic: bool = False  # trained on the room's synthetic data only: said in card, provenance and log
    checkpoint: Path | None = None  # a checkpoint directory that the package ships


def presets_in(folder: Path) -> dict[str, Preset]:
    """The presets that a room's `presets.json` lists, by name; a synthetic one is shipped in a folder of its name."""
    rows: dict[str, dict[str, Any]] = json.loads((folder / "presets.json").read_text(encoding="utf-8"))
    shipped = {name: folder / name for name, row in rows.items() if row.get("synthetic")}
    return {name: Preset(name=name, checkpoint=shipped.get(name), **row) for name, row in rows.items()}


@dataclass(frozen=True)
class BuildOptions:
    """How a preset is put on this machine. The same names as the flags of the command line."""

    weights: Weights = "pretrained"
    checkpoint: Path | str | None = None  # weights in place of the preset's own: a directory, or a hub id
    revision: str | None = None  # commit of that hub id
    specs: Mapping[str, Any] | None = None  # preprocessing read from the checkpoint, to be replayed
    engine: Engine = "local"
    device: str = "auto"
    precision: Precision = "auto"
    adapter: Path | None = None  # for an engine that has to know its adapter before it starts
    server: Server | None = None  # of the engine "openai"


@dataclass(frozen=True)
class Window(Generic[T]):
    """A stretch `[start_s, end_s)` of a film with what was answered about it, on its own clock."""

    start_s: float
    end_s: float
    value: T


@dataclass(frozen=True)
class Merged(Generic[T]):
    """One answer about a film out of the answers about its windows.

    Attributes:
        origins: where each element of the value comes from: (place of its window, its place in that window's value).
    """

    value: T
    origins: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Windowing(Generic[T]):
    """How a film that is too long for one question is asked about: in windows that overlap, in order.

    Attributes:
        window_s: length of a window; longer films are cut.
        step_s: from the start of one window to the start of the next; less than `window_s`.
        merge: windows in order, with their answers on their own clocks, to one answer on the film's.
    """

    window_s: float
    step_s: float
    merge: Callable[[Sequence[Window[T]]], Merged[T]]


@dataclass(frozen=True)
class Answered(Generic[T]):
    """An answer out of a file that need not know the ids of samples.

    Attributes:
        key: what it is about, as it was written down: the sample's id; or its file, of which there may be the path, the
            name or the stem only.
        by: which of the two.
        value: None where there is no answer; then `problem` is fatal. Beside a value it says what is missing in it.
        confidence: as of `Prediction`; empty where the file has none.
    """

    key: str
    by: Literal["id", "file"]
    value: T | None
    problem: Problem | None = None
    confidence: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Span:
    """A labelled stretch of a clip's time, in seconds since the clip's start."""

    start_s: float
    end_s: float
    label: str


@dataclass(frozen=True)
class Scoring(Generic[T]):
    """How answers are compared with truth, one sample at a time, so that every figure can be resampled.

    Attributes:
        row: `(truth, answer or None) -> {metric: number or None}`; None keeps the sample out of that denominator.
        combine: metrics computed from the means of the others (a weighted score, say), and of `counts`.
        baselines: `(truths to learn from, ids to answer for, seed) -> {name: one answer an id}`.
        label: the class of an answer, for per-class tables and label entropy.
        counts: `(truth, answer or None) -> {name: number}`, 0 where left out; what `combine` needs beside `row` and
            nobody reads, such as the hits behind an F1 (evaluate/f1.py): means have the ratio of their sums.
        whole: `(truths, answers or None, confidence of each answer) -> ` figures that are no means of samples, and no
            ratios of such: medians, average precision. What it gives is called with how often each of `n` samples was
            drawn in each of `r` resamples, `[r, n]`, and gives `{metric: [r]}`; NaN where one is undefined.
        lower: the figures among all these that are better when lower.
        elements: `(truth, answer or None) -> ` of answers that are lists, by the name of what they list: the true and
            the answered class of each element, None for the one that is lacking in a miss or a false alarm. Each such
            list has a table by class, counted over elements instead of samples, and a confusion matrix.
        notes: `predictions, None where there is none -> ` what a reader has to be told about these answers.
        checks: `(sample, answer or None) -> {metric: number or None}`; what every legal answer fulfils, so that no
            baseline is compared in it: that it is there, that it leaves blank what the sample cannot show.
        forced: `(sample, answer) -> answer` with what the sample forces on any; baselines are given it too.
        fields: the closed fields of an answer as class names, by the dotted paths of `Prediction.confidence`: what is
            calibrated, and drawn as confusion matrices.
        right: `(truth, answer)`; whether the whole answer is right, which is what confidence in `reply` is about.
        probabilities: the classes of `label` and how probable the answer holds each, where it says so; they sum to 1.
            Of two classes the one named last is the positive one.
        thresholds: the classes that an answer was given by a threshold of probability for, and that threshold.
        rivals: `answer -> {name: answer}`; what parts of the head would have answered alone, scored beside it.
        slices: what a sample is counted under in per-slice tables, by the name of the table.
        spans: `(answer, sample) -> ` what happens when, for the strips of film heads.
        inputs: keys of a sample's meta that are part of the question; all others are hidden from the head where it is
            proved that it does not read the answer.
        columns: `(sample, prediction or None) -> ` the columns of a room's own `errors.csv`, which then lists every
            sample, each with its place in the data as `index` before them.
    """

    row: Callable[[T, T | None], Mapping[str, float | None]]
    combine: Callable[[Mapping[str, float]], Mapping[str, float]]
    baselines: Callable[[Sequence[T], Sequence[str], int], Mapping[str, Sequence[T]]]
    label: Callable[[T], str]
    counts: Callable[[T, T | None], Mapping[str, float]] | None = None
    whole: (
        Callable[
            [Sequence[T], Sequence[T | None], Sequence[Mapping[str, float]]],
            Callable[[NDArray[np.float64]], Mapping[str, NDArray[np.float64]]],
        ]
        | None
    ) = None
    lower: frozenset[str] = frozenset()
    elements: Callable[[T, T | None], Mapping[str, Sequence[tuple[str | None, str | None]]]] | None = None
    notes: Callable[[Sequence[Prediction[T] | None]], Iterable[str]] | None = None
    checks: Callable[[Sample, T | None], Mapping[str, float | None]] | None = None
    forced: Callable[[Sample, T], T] | None = None
    fields: Callable[[T], Mapping[str, str]] | None = None
    right: Callable[[T, T], bool] | None = None
    probabilities: Callable[[T], Mapping[str, float]] | None = None
    thresholds: Callable[[T], Mapping[str, float]] | None = None
    rivals: Callable[[T], Mapping[str, T]] | None = None
    slices: Callable[[Sample], Mapping[str, str]] | None = None
    spans: Callable[[T, Sample], Sequence[Span]] | None = None
    inputs: frozenset[str] = frozenset()
    columns: Callable[[Sample, Prediction[T] | None], Mapping[str, Any]] | None = None


@dataclass(frozen=True)
class Task(Generic[T]):
    """A task as the core knows it. Nothing here imports torch before it is called.

    Attributes:
        accepts: modalities it can read; `requires` those it cannot do without.
        prompt: the question, the same in training and in serving; None for heads without a language model.
        decoder: makes the reader of replies.
        build: `(preset, options) -> Model`; knows weights, and is the only thing that does.
        specs: `preset -> ` preprocessing by modality, as JSON data; what its encoders get unless a checkpoint says.
        stages: `preset -> ` how that preset is trained.
        read: a data folder to samples with truth, in the folder's order.
        synth: `(folder, n, seed, workers)`; writes a folder that `read` understands.
        to_json: exactly the JSON that the task promises. from_json: the same, back to (sample id, answer).
        line: the same as one of many lines, with the sample's id, where `to_json` gives no object.
        plan: figures about memory at full size, as lines of text, without loading weights.
        picture: `(samples with their answers, file)`; draws truth beside answers as an image file, for `vlmkit demo`.
        explain: `(head, sample, file or None)`; what an answer hangs on, as JSON data, and drawn into the file.
        windowing: how longer films are cut and their answers joined; None for tasks about short ones.
        results: `(predictions, folder) -> ` the same predictions; each is written into the folder on its way, in files
            as programs around the task read them.
        answers: `file or folder -> ` what such files hold, and other files that programs around the task write.
        settings: `(what the command line gave, by the names of its options) -> ` what holds, with settings that stand
            below it: an environment, a file.
    """

    name: str
    summary: str
    result: type[T]
    accepts: frozenset[Modality]
    requires: frozenset[Modality]
    presets: Mapping[str, Preset]
    default_preset: str
    prompt: Callable[[Sample], Prompt] | None
    decoder: Callable[[], Decoder[T]]
    build: Callable[[str, BuildOptions], Model[T]]
    specs: Callable[[str], Mapping[str, Any]]
    stages: Callable[[str], Sequence[Stage]]
    read: Callable[[Path], Iterable[Sample]]
    synth: Callable[[Path, int, int, int], None]
    to_json: Callable[[Prediction[T]], Any]
    from_json: Callable[[Any], tuple[str, T]]
    scoring: Scoring[T]
    line: Callable[[Prediction[T]], Mapping[str, Any]] | None = None
    plan: Callable[[str], Sequence[str]] | None = None
    picture: Callable[[Sequence[tuple[Sample, Prediction[T]]], Path], None] | None = None
    explain: Callable[[Head[T], Sample, Path | None], Mapping[str, Any]] | None = None
    windowing: Windowing[T] | None = None
    results: Callable[[Iterable[Prediction[T]], Path], Iterator[Prediction[T]]] | None = None
    answers: Callable[[Path], Sequence[Answered[T]]] | None = None
    settings: Callable[[Mapping[str, Any]], Settings] | None = None

    def preset(self, name: str | None) -> Preset:
        """By exact name; the real one when no name is given. Raises `UnknownNameError`."""
        key = name or self.default_preset
        if key not in self.presets:
            raise UnknownNameError("preset", key, self.presets)
        return self.presets[key]

    def joinable(self, prediction: Prediction[T]) -> Any:
        """The task's JSON as a line among others: with the sample's `id` where only then it tells which sample it is.

        `from_json` gives that id back, so that a file of such lines can be evaluated.
        """
        if self.line is not None:
            return self.line(prediction)
        record = self.to_json(prediction)
        if isinstance(record, Mapping) and "id" not in record:
            for told in (record, {"id": prediction.sample_id, **record}):
                if self._tells(told, prediction.sample_id):
                    return told
        return record

    def _tells(self, record: Mapping[str, Any], sample_id: str) -> bool:
        try:
            return self.from_json(record)[0] == sample_id
        except (VlmkitError, ValueError, KeyError, TypeError):
            return False
