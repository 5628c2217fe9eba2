"""An engine that writes what a test told it to write, and heads on it."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from vlmkit.head import Head
from vlmkit.model import Model
from vlmkit.settings import Settings
from vlmkit.task import Task
from vlmkit.testing.colours import Colour, ColourDecoder, colours
from vlmkit.types import Constraint, Generation, Inputs, Limits, Message, Modality, Prompt, Sample

ENDS = 0.5  # log-probability of every token, unless a test says otherwise


class Letters:
    """A tokenizer whose ids are code points."""

    def decode(self, ids: Sequence[int]) -> str:
        """One letter an id."""
        return "".join(chr(token) for token in ids)


class Host:
    """As much of a `Backbone` as a head on an engine is asked for."""

    base = None
    revision = None
    untrained = ()
    tokenizer: Letters | None = None


class ScriptedEngine:
    """Replies come from a queue; `limits` and `prompts` hold what it was asked."""

    media: frozenset[Modality] = frozenset({"video", "image"})

    def __init__(self, replies: Sequence[Generation], tokenizer: Letters | None = None) -> None:
        self._replies = deque(replies)
        self.limits: list[Limits] = []
        self.prompts: list[Prompt] = []
        self.batches: list[int] = []
        self._host = Host()
        self._host.tokenizer = tokenizer

    @property
    def backbone(self) -> Any:
        """`Host`."""
        return self._host

    def reply(
        self,
        prompts: Sequence[Prompt],
        opened: Sequence[Inputs],
        constraints: Sequence[Constraint | None],
        limits: Limits,
    ) -> list[Generation]:
        """The next replies, one a prompt."""
        self.limits.append(limits)
        self.prompts.extend(prompts)
        self.batches.append(len(prompts))
        return [self._replies.popleft() for _ in prompts]


def spoken(name: str, frame: int = 1, *, asked: str = "Which colour?", **changes: Any) -> Generation:
    """A reply of the task `colours`, told in full: a token a letter, one grid, margins and log-probabilities."""
    text = json.dumps({"name": name, "frame": frame})
    return replace(written(text, asked=asked), **changes)


def written(text: str, *, asked: str = "Which colour?") -> Generation:
    """Any text, told in full."""
    n = len(text)
    return Generation(
        text=text,
        stop="end",
        n_prompt=len(asked),
        n_new=n,
        logprobs=(-ENDS,) * n,
        prompt_ids=tuple(map(ord, asked)),
        ids=tuple(map(ord, text)),
        grids=((2, 4, 4),),
        margins=(float("inf"),) + (0.25,) * (n - 1),
    )


def silent(reply: Generation) -> Generation:
    """The same from an engine that tells nothing but the text."""
    return replace(reply, prompt_ids=(), ids=(), grids=(), logprobs=(), margins=())


def head(engine: ScriptedEngine, name: str = "local", limits: Limits | None = None, **provenance: Any) -> Head[Any]:
    """A head of the task `worded`, which see."""
    model = Model(
        encoders=(),
        projector=None,
        llm=None,
        decoder=ColourDecoder(),
        prompt=_asked,
        requires=frozenset({"text"}),
        backbone=engine.backbone,
        engine=engine,
        limits=limits,
    )
    given: Mapping[str, Any] = {"preset": "tiny", "weights": "random", "engine": name, "hashes": {"prompt": "1"}}
    return Head(worded(), model, {**given, **provenance})


def worded() -> Task[Colour]:
    """The task `colours` about words: no film has to be made for it."""
    return replace(colours(), name="worded", requires=frozenset({"text"}))


def _asked(sample: Sample) -> Prompt:
    return Prompt((Message("user", (sample.text or "",)),))


def settled() -> Task[Colour]:
    """The task `worded` with settings of its own: they name a model."""
    return replace(worded(), name="settled", settings=lambda typed: Settings.of({"model": "from/settings", **typed}))
