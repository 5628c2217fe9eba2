"""Cnn14: decibels a mel band to one row.

Shape legend: `b` windows, `t` frames, `m` mel bands, `c` channels, `d` width of a row.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from vlmkit.encoders.panns.config import KERNEL, PannsConfig

_DROP_BLOCK = 0.2  # the rates that the published weights were trained with; nothing is dropped in eval mode
_DROP_ROW = 0.5


class Block(nn.Module):
    """Two convolutions with batch norm and ReLU: `[b, c_in, t, m]` to `[b, c, t, m]`."""

    def __init__(self, width_in: int, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width_in, width, KERNEL, padding="same", bias=False)
        self.conv2 = nn.Conv2d(width, width, KERNEL, padding="same", bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.bn2 = nn.BatchNorm2d(width)
        nn.init.xavier_uniform_(self.conv1.weight)
        nn.init.xavier_uniform_(self.conv2.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Same time and bands."""
        x = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(x)))


class Cnn14(nn.Module):
    """The network under its published names, without front end and classifier; random until weights are loaded.

    With the `legacy` front there is no maximum over time and no last ReLU, as weights for that front end were trained.
    """

    def __init__(self, config: PannsConfig) -> None:
        super().__init__()
        self.config = config
        widths = config.channels
        self.bn0 = nn.BatchNorm2d(config.n_mels)
        for number, (width_in, width) in enumerate(zip((1, *widths), widths, strict=False), 1):
            self.add_module(f"conv_block{number}", Block(width_in, width))
        self.fc1 = nn.Linear(config.dim, config.dim)
        nn.init.xavier_uniform_(self.fc1.weight)
        nn.init.zeros_(self.fc1.bias)

    def forward(self, decibels: Tensor) -> Tensor:
        """`[b, 1, t, m]` to `[b, d]`; `t` and `m` of at least 2 to the power of the poolings."""
        x = self.bn0(decibels.transpose(1, 3)).transpose(1, 3)  # a band is normalised as a channel is
        last = len(self.config.channels)
        for number in range(1, last + 1):
            x = self.get_submodule(f"conv_block{number}")(x)
            if number < last:
                x = functional.avg_pool2d(x, 2)
            x = functional.dropout(x, _DROP_BLOCK, self.training)
        x = x.mean(3)  # over bands: [b, d, t']
        if self.config.front == "legacy":
            row: Tensor = self.fc1(x.mean(2))
            return row
        x = functional.dropout(x.amax(2) + x.mean(2), _DROP_ROW, self.training)
        return functional.dropout(torch.relu(self.fc1(x)), _DROP_ROW, self.training)
