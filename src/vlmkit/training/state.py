"""What a stage changes in a model, by name: the only thing that its checkpoints hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from vlmkit.errors import CheckpointError
from vlmkit.model import Model
from vlmkit.training.stage import Stage


def trained(model: Model[Any], stage: Stage) -> dict[str, Tensor]:
    """Parameters of the stage's roles, and the running statistics of the modules that they are in."""
    found: dict[str, Tensor] = {}
    for role in stage.roles:
        found |= model.roles[role]
        for index, module in enumerate(model.modules.get(role, ())):
            saved = module.state_dict().keys()
            found |= {f"{role}.{index}.{name}": value for name, value in module.named_buffers() if name in saved}
    by_place = {id(value): name for name, value in found.items()}  # weights that are tied have several names
    return {name: found[name] for name in by_place.values()}


def fill(own: Mapping[str, Tensor], state: Mapping[str, Tensor], whose: str) -> None:
    """Copy a state into place. Raises `CheckpointError` where names or shapes differ."""
    wrong = sorted(set(own) ^ set(state)) or [name for name in own if own[name].shape != state[name].shape]
    if wrong:
        raise CheckpointError(f"{whose}: {len(wrong)} saved weights do not fit the model, the first is {wrong[0]}")
    with torch.no_grad():
        for name, value in own.items():
            value.copy_(state[name])
