"""Small networks and files in the layout of the published Cnn14."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import init

from vlmkit.encoders.panns import VARIANTS, Cnn14, LogMel, PannsConfig
from vlmkit.encoders.panns.config import CLASSIFIER, FOURIER, MEL

NARROW = (2, 3, 4, 5, 6, 8)


def narrow(variant: str = "8k", seed: int = 0) -> Cnn14:
    """A network of width 8 in eval mode, whose batch norms have seen sounds: its rows differ from sound to sound."""
    torch.manual_seed(seed)
    config = replace(VARIANTS[variant], channels=NARROW)
    network = Cnn14(config).train()
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        stir(norm)
        norm.momentum = 1.0  # the statistics become those of the one batch below
    levels = 10 ** torch.linspace(-4, 0, 8).unsqueeze(1)
    with torch.no_grad():
        network(LogMel(config)(torch.randn(8, config.rate_hz // 2) * levels))
    for norm in norms:
        norm.momentum = 0.1
    return network.eval()


def stir(norm: nn.BatchNorm2d) -> None:
    """Statistics and scales as after training: nothing is 0 or 1."""
    assert norm.running_mean is not None and norm.running_var is not None
    init.normal_(norm.running_mean, 0, 0.1)
    init.uniform_(norm.running_var, 0.5, 2)
    init.uniform_(norm.weight, 0.5, 1.5)
    init.normal_(norm.bias, 0, 0.1)


def loud(norm: nn.BatchNorm2d) -> None:
    """Statistics of decibels: around -30, some 14 up and down."""
    assert norm.running_mean is not None and norm.running_var is not None
    init.constant_(norm.running_mean, -30)
    init.constant_(norm.running_var, 200)


def published(network: Cnn14) -> dict[str, Tensor]:
    """The state dict that the published class would have of this network."""
    config: PannsConfig = network.config
    fourier = torch.zeros(config.n_fft // 2 + 1, 1, config.n_fft)
    extra = {MEL: LogMel(config).filters, **dict.fromkeys(FOURIER, fourier)}
    extra |= dict(zip(CLASSIFIER, (torch.zeros(527, config.dim), torch.zeros(527)), strict=True))
    return {name: value.clone() for name, value in {**extra, **network.state_dict()}.items()}


def written(folder: Path, state: dict[str, Tensor]) -> Path:
    """The file that `vlmkit convert` would make of it."""
    path = folder / "cnn14.safetensors"
    save_file(state, path)
    return path
