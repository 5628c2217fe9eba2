"""Samples made ready: decoded, cut into patches and, where no stage trains their encoder, encoded."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import torch
from torch.utils.data import Dataset

from vlmkit.errors import DataError
from vlmkit.model import Model
from vlmkit.prepared import Prepared
from vlmkit.protocols import Encoder
from vlmkit.training import processes
from vlmkit.training.bar import follow
from vlmkit.training.bytes import Bytes, Spool
from vlmkit.training.cache import FeatureCache, Kept
from vlmkit.training.features import absent, moved, split
from vlmkit.training.stage import Stage
from vlmkit.training.standin import Looking, Silent, fresh_in, kept_in, own_in
from vlmkit.types import Batch, Features, Inputs, Modality, Sample

_BATCH = 16  # samples that a frozen encoder sees at once


@dataclass(frozen=True)
class Row:
    """A sample for training: what encoders that learn still have to see, and rows of those that do not."""

    prepared: Prepared
    kept: Mapping[Modality, Features] = field(default_factory=dict)


@dataclass(frozen=True)
class Rows(Dataset[Row]):
    """Samples, all but their pixels in memory."""

    items: Sequence[Row]

    def __len__(self) -> int:
        """How many samples."""
        return len(self.items)

    def __getitem__(self, index: int) -> Row:
        """One sample."""
        return self.items[index]

    @property
    def prepared(self) -> list[Prepared]:
        """The samples as their encoders' inputs."""
        return [row.prepared for row in self.items]


class Schedule(Dataset[Row]):
    """The samples in the order of a whole stage: one permutation after the other, drawn from the seed alone.

    Every batch is full, and the order is the same for one process and for several, and after a restart.
    """

    def __init__(self, rows: Rows, n: int, seed: int) -> None:
        self._rows, self._n, self._seed = rows, n, seed
        self.n_samples = len(rows)
        self._epoch, self._order = -1, list[int]()

    def __len__(self) -> int:
        """How many samples the stage will have seen, repetitions included."""
        return self._n

    def __getitem__(self, index: int) -> Row:
        """What stands at a place of the order."""
        epoch, place = divmod(index, len(self._rows))
        if epoch != self._epoch:
            drawn = torch.Generator().manual_seed(self._seed + epoch)
            self._epoch, self._order = epoch, torch.randperm(len(self._rows), generator=drawn).tolist()
        return self._rows[self._order[place]]


def needed(model: Model[Any], stage: Stage) -> set[int]:
    """Which encoders a stage reads, by their place in the model."""

    def reads(encoder: Encoder) -> bool:
        if stage.objective == "probe":
            return "video" in encoder.modalities
        # A text tower beside a language model is read for its alignment only.
        return stage.objective != "sft" or model.llm is None or bool(encoder.modalities & model.llm.slots)

    return {index for index, encoder in enumerate(model.encoders) if reads(encoder)}


def learning(model: Model[Any], stage: Stage) -> set[int]:
    """Which encoders a stage trains, their adapters included. It sets what learns as it asks."""
    model.train_roles(stage.roles)
    return {i for i, one in enumerate(model.encoders) if any(p.requires_grad for p in one.module.parameters())}


def prepare(
    model: Model[Any], samples: Sequence[Sample], stages: Sequence[Stage], cache: FeatureCache | None = None
) -> tuple[Rows, dict[str, str]]:
    """Decode every sample once, and run the encoders that no stage trains; rows that the cache has cost neither.

    Inputs of encoders that learn are kept, pixels as one byte each in a file (`bytes.Spool`).
    Returns the rows to learn from, and `{sample id: reason}` of the others, those with a medium that could not be read
    or a truth that what was read cannot show among them. Raises `DataError` when none is left.
    """
    wanted = set[int]().union(*(needed(model, stage) for stage in stages))
    live = wanted & set[int]().union(*(learning(model, stage) for stage in stages))
    keep = wanted - live
    model.eval()
    counts = _in_shares(model, samples, keep, cache) if cache is not None and processes.count() > 1 else None
    rows = list(follow(_rows(model, samples, keep, live, cache), "reading media", len(samples)))
    if cache is not None and counts is not None:
        cache.read, cache.encoded = counts
    reasons = [(row, _objection(model, row)) for row in rows]
    bad = {row.prepared.sample.id: reason for row, reason in reasons if reason}
    good = [row for row, reason in reasons if not reason]
    if not good:
        reason = next(iter(bad.values()), "none given")
        raise DataError(f"none of {len(samples)} samples can be used; the first: {reason}")
    return Rows(good), bad


def _objection(model: Model[Any], row: Row) -> str:
    """Why a sample would teach to invent: it cannot be used, a medium of it was lost, or its truth breaks a rule."""
    one = row.prepared
    lost = [problem.message for problem in one.problems if problem.fatal or problem.code.startswith("media_")]
    if lost or one.sample.truth is None:
        return "; ".join(lost)
    used = (one.seen - set(row.kept)) | {modality for modality, kept in row.kept.items() if sum(kept.lengths)}
    used |= one.seen & {"text"}  # read as it is, too
    seen = replace(one.sample, meta={**one.sample.meta, **one.facts, "used": tuple(sorted(used))})
    found = [problem for rule in getattr(model.decoder, "rules", ()) for problem in rule(one.sample.truth, seen)]
    return "; ".join(problem.message for problem in found if problem.fatal)


def encode(model: Model[Any], rows: Rows, encoders: Collection[int]) -> Rows:
    """Rows of these encoders as they are now; their inputs are left out."""
    model.eval()
    starts = range(0, len(rows), _BATCH)
    made: list[Row] = []
    for start in follow(starts, "encoding once", len(starts)):
        made += _encoded(model, rows.items[start : start + _BATCH], encoders, None)
    return Rows(made)


def _in_shares(model: Model[Any], samples: Sequence[Sample], keep: set[int], cache: FeatureCache) -> tuple[int, int]:
    """Each process encodes its share into the cache, where all of them find everything afterwards."""
    for _ in _rows(model, samples[processes.number() :: processes.count()], keep, (), cache):
        pass
    counts = processes.collected([(cache.read, cache.encoded)])
    return sum(found for found, _ in counts), sum(made for _, made in counts)


def _rows(
    model: Model[Any],
    samples: Sequence[Sample],
    keep: Collection[int],
    live: Collection[int],
    cache: FeatureCache | None,
) -> Iterator[Row]:
    stand_ins: list[Encoder] = []
    for index, encoder in enumerate(model.encoders):
        if index in keep and cache is not None:
            stand_ins.append(Looking(encoder, cache))
        else:
            stand_ins.append(encoder if index in keep or index in live else Silent(encoder))
    spool = Spool()
    with ThreadPoolExecutor(2) as pool:  # PyAV decodes outside the GIL
        ready = _ahead(pool, model, samples, stand_ins)
        while chunk := [Row(one) for one in islice(ready, _BATCH)]:
            for row in _encoded(model, chunk, keep, cache):
                yield replace(row, prepared=_small(row.prepared, spool))


def _ahead(
    pool: ThreadPoolExecutor, model: Model[Any], samples: Iterable[Sample], stand_ins: Sequence[Encoder]
) -> Iterator[Prepared]:
    """Decode a little ahead of the encoders, and not everything at once."""
    waiting: deque[Future[Prepared]] = deque()
    try:
        for sample in samples:
            waiting.append(pool.submit(model.prepare, sample, stand_ins))
            if len(waiting) > 2 * _BATCH:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for one in waiting:
            one.cancel()


def _encoded(
    model: Model[Any], chunk: Sequence[Row], encoders: Collection[int], cache: FeatureCache | None
) -> list[Row]:
    kept = [dict(row.kept) for row in chunk]
    inputs = [list(row.prepared.inputs) for row in chunk]
    for index in encoders:
        encoder = model.encoders[index]
        for place, (row, found) in enumerate(zip(chunk, _rows_of(encoder, index, chunk, cache), strict=True)):
            kept[place] |= found if row.prepared.usable else {}
            inputs[place][index] = {}
    return [
        Row(replace(row.prepared, inputs=tuple(left)), found)
        for row, left, found in zip(chunk, inputs, kept, strict=True)
    ]


def _rows_of(
    encoder: Encoder, index: int, chunk: Sequence[Row], cache: FeatureCache | None
) -> list[dict[Modality, Features]]:
    """One encoder's rows of each sample: those that the cache had, and those that it makes now."""
    inputs = [row.prepared.inputs[index] for row in chunk]
    own = [own_in(one) if row.prepared.usable else {} for row, one in zip(chunk, inputs, strict=True)]
    todo = [place for place, one in enumerate(own) if one]
    made: dict[int, dict[Modality, Features]] = {}
    if todo:
        with torch.no_grad():
            batch = Batch(tuple(chunk[i].prepared.sample for i in todo), tuple(whole(own[i]) for i in todo))
            made = dict(zip(todo, split(moved(encoder.encode(batch), "cpu"), len(todo)), strict=True))
    found = []
    for place, one in enumerate(inputs):
        known = {modality: kept.features for modality, kept in kept_in(one).items()}
        new = made.get(place, {})
        for modality, fresh in fresh_in(one).items() if new else ():
            if cache is not None:
                cache.put(fresh.key, Kept(new[modality], fresh.facts, fresh.notes))
        if cache is not None:
            cache.read += len(known)
            cache.encoded += sum(bool(rows.lengths[0]) for name, rows in new.items() if name not in known)
        every = {**{name: rows for name, rows in new.items() if rows.lengths[0]}, **known}
        found.append({name: every.get(name) or absent(encoder.dim) for name in encoder.modalities})
    return found


def whole(inputs: Inputs) -> Inputs:
    """Pixels as an encoder was promised them, however they are kept."""
    return {name: v.values() if isinstance(v, Bytes) else v for name, v in inputs.items()}


def _small(one: Prepared, spool: Spool) -> Prepared:
    kept = ({k: spool.keep(v) if k.startswith("pixel_values") else v for k, v in made.items()} for made in one.inputs)
    return replace(one, inputs=tuple(kept))
