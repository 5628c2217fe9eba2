"""Encoders as ONNX graphs: written with torch's exporter, compared with what they were made of, run by ONNX Runtime."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vlmkit.encoders.panns import Cnn14, Panns, PannsConfig
from vlmkit.encoders.timm import TimmImages
from vlmkit.errors import CheckpointError, MissingExtraError, WiringError
from vlmkit.protocols import Encoder

TOLERANCE = 1e-4
"""Largest difference between a graph's rows and its network's, as a part of the largest number in them."""


class OnnxNetwork(nn.Module):
    """A graph with one input and one output, in place of the network that it was exported from."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._session = _session(path)
        self._input = self._session.get_inputs()[0].name
        # Encoders ask their network's first parameter for device and type.
        self.anchor = nn.Parameter(torch.empty(0), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """Rows in fp32, on the CPU."""
        (rows,) = self._session.run(None, {self._input: x.detach().float().cpu().contiguous().numpy()})
        return torch.from_numpy(rows)


class OnnxTrunk(OnnxNetwork):
    """What `TimmImages` takes for a timm trunk: pixels to rows, with the data configuration of its training."""

    head_hidden_size = None  # the graph ends after the pooling

    def __init__(self, path: Path, data: Mapping[str, Any]) -> None:
        super().__init__(path)
        self.pretrained_cfg = {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}
        self.num_features: int = self._session.get_outputs()[0].shape[1]

    def forward_features(self, pixels: Tensor) -> Tensor:
        """`[b, 3, height, width]` to rows `[b, d]`."""
        rows: Tensor = self(pixels)
        return rows


class OnnxCnn14(OnnxNetwork):
    """What `Panns` takes for a Cnn14."""

    def __init__(self, path: Path, config: PannsConfig) -> None:
        super().__init__(path)
        self.config = config


class _TrunkRows(nn.Module):
    def __init__(self, encoder: TimmImages) -> None:
        super().__init__()
        self.trunk = encoder.module
        self._rows = encoder.rows

    def forward(self, x: Tensor) -> Tensor:
        return self._rows(x)


class _SoundRows(nn.Module):
    def __init__(self, network: Cnn14) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        rows: Tensor = self.network(x)
        return rows


def file_of(modalities: frozenset[Any]) -> str:
    """Name of an encoder's graph."""
    return "-".join(sorted(modalities)) + ".onnx"


def require_exporter() -> None:
    """Raises `MissingExtraError` where graphs can be neither written nor compared: torch finds out in mid-work."""
    for package in ("onnx", "onnxscript", "onnxruntime"):
        try:
            import_module(package)
        except ImportError as error:
            raise MissingExtraError(package, "edge") from error


def export_encoder(encoder: Encoder, folder: Path) -> float:
    """Write one encoder's network as a graph; returns the largest difference of rows, relative to the largest number.

    The batch is free, and for sound its length. Raises `WiringError` for an encoder without such a form, and
    `CheckpointError` where graph and network differ by more than `TOLERANCE`.
    """
    require_exporter()
    network, examples, free = _exportable(encoder)
    path = folder / file_of(encoder.modalities)
    _write(network.eval(), examples[0], free, path)
    made = OnnxNetwork(path)
    worst = 0.0
    for x in examples:
        with torch.no_grad():
            wanted = network(x)
        worst = max(worst, float((made(x) - wanted).abs().max() / wanted.abs().max().clamp(min=1e-30)))
    if not worst <= TOLERANCE:
        raise CheckpointError(f"{path}: the graph's rows differ from the network's by {worst:.2g}; {TOLERANCE} allowed")
    return worst


def _exportable(encoder: Encoder) -> tuple[nn.Module, Sequence[Tensor], tuple[int, ...]]:
    """The network, two batches of different shapes for it, and its free dimensions."""
    noise = torch.Generator().manual_seed(0)
    if isinstance(encoder, TimmImages):
        shape = encoder.input_size
        pictures = [torch.randn(n, *shape, generator=noise) for n in (2, 3)]
        return _TrunkRows(encoder), pictures, (0,)
    if isinstance(encoder, Panns) and isinstance(encoder.module, Cnn14):
        config = encoder.module.config
        times = (4 * config.shrink, 3 * config.shrink + 5)
        sounds = [
            20 * torch.randn(n, 1, t, config.n_mels, generator=noise) - 40 for n, t in zip((2, 3), times, strict=True)
        ]
        return _SoundRows(encoder.module), sounds, (0, 2)
    raise WiringError(f"{type(encoder).__name__} has no ONNX form in this version; known: TimmImages, Panns")


def _write(network: nn.Module, example: Tensor, free: Sequence[int], path: Path) -> None:
    from torch.export import Dim  # costs as much as the rest of torch's import

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the exporter's own libraries; the graph is compared afterwards
        program = torch.onnx.export(
            network,
            (example,),
            dynamo=True,
            dynamic_shapes={"x": dict.fromkeys(free, Dim.DYNAMIC)},
            input_names=["x"],
            output_names=["rows"],
            verbose=False,
        )
    if program is None:
        raise WiringError("torch gave no ONNX program")
    program.save(str(path), external_data=False)


def _session(path: Path) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError("onnxruntime", "edge") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its error classes are its own and change between releases
        raise CheckpointError(f"{path}: no ONNX graph that this onnxruntime runs; copy or export it again") from error
