"""Published Cnn14 weights, as `vlmkit convert` writes them, into the network: all of them or none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from vlmkit.encoders.panns.config import MEL, Front, detect, layout
from vlmkit.encoders.panns.frontend import LogMel
from vlmkit.encoders.panns.network import Cnn14
from vlmkit.errors import CheckpointError
from vlmkit.safety import require_safetensors

_FILTER_ERROR = 1e-3  # of the largest weight; another range of bands is off by far more, float32 by far less


def load_cnn14(path: Path, *, rate_hz: int | None = None, front: Front = "power") -> Cnn14:
    """The network in eval mode, with the figures that its file gives away as its `config`.

    Args:
        path: a safetensors file with the published names; `vlmkit convert` makes one of a `.pth`.
        rate_hz: of the sound that it is wanted for, where that is known.
        front: `legacy` for weights that were trained on magnitudes.

    Raises `CheckpointError` for a file that is no Cnn14 of a known variant, whose mel filters are not those of its
    variant, or that was trained on sound of another rate.
    """
    shapes = {name: info.shape for name, info in require_safetensors(path).items()}
    variant, found = detect(shapes, str(path))
    if rate_hz is not None and rate_hz != found.rate_hz:
        raise CheckpointError(
            f"{path}: the {variant} variant, trained on sound of {found.rate_hz} Hz; given sound of {rate_hz} Hz: set "
            f"rate_hz={found.rate_hz}, or take the file of the other variant"
        )
    try:
        state = load_file(path)
    except SafetensorError:
        raise CheckpointError(f"{path}: cannot be read; convert it again") from None
    filters = LogMel(found).filters
    if not torch.allclose(state[MEL].float(), filters, atol=_FILTER_ERROR * float(filters.max())):
        raise CheckpointError(f"{path}: its mel filters are not those of the {variant} variant that their shape says")
    network = Cnn14(replace(found, front=front))
    network.load_state_dict({name: state[name] for name in layout(found)})
    return network.eval()
