"""What flows through a model. Frozen, and free of torch at run time.

Shape legend: `n` rows (packed over samples), `d` width, `m` media items.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

T = TypeVar("T")

Modality = Literal["image", "audio", "video", "text"]
Lane = Modality | Literal["fused"]
"""Whose rows `Tokens` are: one modality's, or what a projector made of several."""
ROW = -1
"""Stands among the ids of a prompt for an encoder's row, which has none."""
Stop = Literal["end", "length", "unread", "failed"]
"""Why a reply is over: it was finished; its budget was; its prompt was too long; or the engine failed to give one."""


class _Named:
    source: str | Path | bytes | np.ndarray

    @property
    def name(self) -> str:
        """How messages call it."""
        if isinstance(self.source, str | Path):
            return str(self.source)
        if isinstance(self.source, bytes):
            return f"<{len(self.source)} bytes>"
        return f"<array {'x'.join(map(str, getattr(self.source, 'shape', ())))}>"


@dataclass(frozen=True)
class Image(_Named):
    """A still picture: a path, encoded bytes, or an RGB array `[height, width, 3]` of uint8."""

    source: str | Path | bytes | np.ndarray


@dataclass(frozen=True)
class Clip(_Named):
    """A film, or a part of one: a path, encoded bytes, or RGB frames `[n, height, width, 3]` of uint8.

    `start_s` and `end_s` cut a half-open window in seconds of the film's own clock.
    `fps` says how fast an array plays, or `times_s` when each of its frames is shown; for a file the file is asked.
    """

    source: str | Path | bytes | np.ndarray
    start_s: float | None = None
    end_s: float | None = None
    fps: float | None = None
    times_s: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        _numbers(self, "start_s", "end_s", "fps")


@dataclass(frozen=True)
class Sound(_Named):
    """A sound: a path, encoded bytes, or a float array `[channels, n]` with its `rate_hz`, full scale at 1.

    `start_s` and `end_s` cut a half-open window in seconds since its first sample.
    `offset_s` is where its first sample lies on the clock of the film that it belongs to, if to any.
    """

    source: str | Path | bytes | np.ndarray
    start_s: float | None = None
    end_s: float | None = None
    rate_hz: int | None = None
    offset_s: float = 0.0

    def __post_init__(self) -> None:
        _numbers(self, "start_s", "end_s", "rate_hz", "offset_s")


Media = Image | Clip | Sound


@dataclass(frozen=True)
class Sample:
    """One thing to answer about: its media by modality, text, and the truth where it is known."""

    id: str
    media: Mapping[Modality, Media] = field(default_factory=dict)
    text: str | None = None
    truth: Any | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def modalities(self) -> frozenset[Modality]:
        """What this sample brings."""
        return frozenset(self.media) | (frozenset({"text"}) if self.has_words else frozenset())

    @property
    def has_words(self) -> bool:
        """Whether the text says anything: blanks and invisible characters do not."""
        return any(letter.isprintable() and not letter.isspace() for letter in self.text or "")


Inputs = Mapping[str, Any]
"""What one encoder made of one sample: tensors by name.

Two names are not tensors: `facts` join the sample's meta (a film's length, say); `notes` are problems of the sample.
"""


@dataclass(frozen=True)
class Batch:
    """Samples with what each encoder's `transform` made of them, side by side."""

    samples: tuple[Sample, ...]
    inputs: tuple[Inputs, ...]


@dataclass(frozen=True)
class Features:
    """Rows an encoder found, packed over samples.

    Attributes:
        values: `[n, d]`.
        lengths: rows a sample; they sum to `n`; 0 says that the modality is missing there.
        times_s: `[n]`, seconds on the sample's own clock, where rows have a time.
        grid: `[m, 3]`, (time, height, width) in patches before merging, one row a present item.
        deep: extra rows a layer, each `[n, d]` (Qwen3-VL deepstack).
        step_s: seconds between two time steps, one a present item (Qwen2.5-VL M-RoPE).
    """

    values: Tensor
    lengths: tuple[int, ...]
    times_s: Tensor | None = None
    grid: Tensor | None = None
    deep: tuple[Tensor, ...] = ()
    step_s: Tensor | None = None


@dataclass(frozen=True)
class Tokens(Features):
    """`Features` in the width of the language model: ready to take its slots."""


@dataclass(frozen=True)
class Slot:
    """A place in a message where a modality's tokens go."""

    modality: Modality


@dataclass(frozen=True)
class Message:
    """One turn of the chat: text and slots in order."""

    role: Literal["system", "user", "assistant"]
    parts: tuple[str | Slot, ...]


@dataclass(frozen=True)
class Prompt:
    """What the model is asked: chat messages with media slots, and no answer in them."""

    messages: tuple[Message, ...]


@dataclass(frozen=True)
class Constraint:
    """A bounded JSON Schema that every token of a reply has to obey.

    Attributes:
        schema: the schema as compact JSON text; it is the cache key of the compiled grammar.
        longest: bytes of the longest legal reply; a token is at least one byte.
        minimum: the smallest budget at which a cut reply can still be closed without inventing anything.
    """

    schema: str
    longest: int
    minimum: int


@dataclass(frozen=True)
class Limits:
    """How long a reply may get and how it is drawn.

    Attributes:
        temperature: 0 is greedy: the likeliest token, whatever `top_p` and `seed` are; 2 at most, as vLLM and
            OpenAI's interface take it.
        top_p: tokens are drawn from the likeliest that have this much probability together, above 0 and up to 1.
        repetition_penalty: what the score of a token is divided by (times, where it is negative) that the prompt or
            the reply has already; 1 is none. Rows without ids count for nothing.
    """

    max_new_tokens: int
    temperature: float = 0.0
    seed: int | None = None
    top_p: float = 1.0
    repetition_penalty: float = 1.0

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1 or not 0 <= self.temperature <= 2:
            raise ValueError(f"wanted max_new_tokens of 1 or more and a temperature from 0 to 2; given {self}")
        if not 0 < self.top_p <= 1 or not 0 < self.repetition_penalty < math.inf:
            raise ValueError(f"wanted top_p above 0 and up to 1, and a repetition_penalty above 0; given {self}")


@dataclass(frozen=True)
class Generation:
    """What the language model wrote, and nothing of what it was asked.

    `logprobs` holds one log-probability a new token, under the constraint where there was one.
    `spans` gives the half-open byte range of each token in `text`.

    `prompt_ids`, `ids`, `grids` and `margins` are what engines are compared by, where they tell them: the prompt as it
    was read, slots widened, `ROW` where a row without an id stands; the new tokens, their end left out; (time, height,
    width) in patches of each picture or film, in the prompt's order; how far each new token was ahead of the next best
    legal one, as a difference of log-probabilities: infinite where no other was legal, below 0 where the best was not
    drawn.

    `problem` says why there is no reply, where `stop` is "failed".
    """

    text: str
    stop: Stop
    n_prompt: int
    n_new: int
    logprobs: tuple[float, ...] = ()
    spans: tuple[tuple[int, int], ...] = ()
    prompt_ids: tuple[int, ...] = ()
    ids: tuple[int, ...] = ()
    grids: tuple[tuple[int, int, int], ...] = ()
    margins: tuple[float, ...] = ()
    problem: Problem | None = None


@dataclass(frozen=True)
class Problem:
    """Something that is wrong with one sample, said by type and by name.

    Attributes:
        code: a short closed name such as `truncated`, `segment_order`, `media_missing`.
        message: one sentence for people.
        where: the modality or the field that it is about.
        fatal: whether there is no value because of it.
    """

    code: str
    message: str
    where: str | None = None
    fatal: bool = False


@dataclass(frozen=True)
class Prediction(Generic[T]):
    """The answer for one sample, or the reasons why there is none. `value is None` exactly when a problem is fatal.

    Attributes:
        confidence: how probable it is that a field of the answer is right, by the field's dotted path; `reply` is the
            whole answer. Calibrated where the head has a calibration of it.
        uncalibrated: the same figures as the model itself gave them, where `confidence` is calibrated.
        used: the modalities that were really seen.
        raw: what a language model wrote.
        timing_s: seconds by step. provenance: which weights answered, about what, and when.
    """

    sample_id: str
    value: T | None
    problems: tuple[Problem, ...] = ()
    confidence: Mapping[str, float] = field(default_factory=dict)
    used: tuple[Modality, ...] = ()
    raw: str | None = None
    uncalibrated: Mapping[str, float] = field(default_factory=dict)
    timing_s: Mapping[str, float] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.value is None) != any(p.fatal for p in self.problems):
            raise ValueError(
                f"prediction {self.sample_id!r}: value is None exactly when a problem is fatal; "
                f"given value={self.value!r} with problems {[p.code for p in self.problems]}"
            )

    def _repr_html_(self) -> str:
        from vlmkit.markup import prediction_card  # only a notebook asks

        return prediction_card(self)


def _numbers(media: Clip | Sound, *names: str) -> None:
    for name in names:
        value = getattr(media, name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise TypeError(f"{type(media).__name__}: {name} is a number or None; given {value!r}")
