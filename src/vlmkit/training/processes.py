"""The processes of one run: which of them this is, and what they tell each other. Alone, every call is free."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed

from vlmkit.errors import VlmkitError

T = TypeVar("T")


def join(device: str) -> str:
    """Meet the other processes, where a launcher (`accelerate launch`, `torchrun`) started several.

    Returns the device of this one: its own GPU, where "auto" or "cuda" was asked for.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        return device
    from accelerate import PartialState

    on_cpu = device == "cpu" or not torch.cuda.is_available() or os.environ.get("ACCELERATE_USE_CPU") == "true"
    state = PartialState(cpu=on_cpu)
    return "cpu" if on_cpu else f"cuda:{state.local_process_index}"


def leave() -> None:
    """The opposite of `join`; without it, the process group is torn down with a warning when Python ends."""
    if count() > 1:
        from accelerate import PartialState

        PartialState().destroy_process_group()


def count() -> int:
    """How many processes take part."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def number() -> int:
    """Which of them this is, from 0."""
    return distributed.get_rank() if count() > 1 else 0


def first() -> bool:
    """Whether this is the one that writes and talks."""
    return number() == 0


def told(value: T) -> T:
    """The first process's value, everywhere."""
    if count() == 1:
        return value
    box: list[Any] = [value]
    distributed.broadcast_object_list(box)
    said: T = box[0]
    return said


def by_first(work: Callable[[], T]) -> T:
    """What the first process makes of it, everywhere; where it fails there, it fails everywhere."""
    if count() == 1:
        return work()
    made: T | None = None
    error: Exception | None = None
    if first():
        try:
            made = work()
        except Exception as caught:  # whatever it is: the others would wait for ever
            error = caught
    failure = told(None if error is None else str(error))
    if error is not None:
        raise error
    if failure is not None:
        raise VlmkitError(failure)
    return told(made)  # type: ignore[return-value]  # None is only told where T has it


def collected(parts: list[T]) -> list[T]:
    """The lists of all processes, one behind the other in their order, everywhere."""
    if count() == 1:
        return parts
    boxes: list[Any] = [None] * count()
    distributed.all_gather_object(boxes, parts)
    return [part for box in boxes for part in box]


def total(n: int, device: torch.device) -> int:
    """The sum of all processes' numbers, everywhere."""
    if count() == 1:
        return n
    found = torch.tensor(n, device=device)
    distributed.all_reduce(found)
    return int(found)


def stacked(rows: Tensor) -> Tensor:
    """Rows `[b, …]` of all processes, `[b * processes, …]`; every process brings as many.

    The gradient reaches this process's own rows, multiplied by the number of processes: the mean over processes,
    which distributed training takes, is then the gradient of the whole batch. No collective runs backwards.
    """
    if count() == 1:
        return rows
    found = [torch.empty_like(rows) for _ in range(count())]
    distributed.all_gather(found, rows.detach().contiguous())
    if rows.requires_grad:
        found[number()] = rows.detach() + count() * (rows - rows.detach())
    return torch.cat(found)
