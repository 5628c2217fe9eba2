from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from vlmkit.edge import onnx
from vlmkit.edge.onnx import OnnxNetwork, export_encoder, file_of
from vlmkit.encoders.panns import Cnn14, Panns, PannsConfig
from vlmkit.errors import CheckpointError, MissingExtraError, WiringError
from vlmkit.media.spec import AudioSpec

SMALL = PannsConfig(rate_hz=16_000, n_fft=512, n_hop=160, high_hz=8_000, n_mels=8, channels=(4, 8))


@pytest.fixture
def ears() -> Panns:
    torch.manual_seed(0)
    return Panns(Cnn14(SMALL).eval(), audio=AudioSpec(rate_hz=16_000, window_s=2.0, min_s=0.4))


def test_a_graph_takes_any_batch_and_any_length(ears: Panns, tmp_path: Path) -> None:
    assert export_encoder(ears, tmp_path) < 1e-5
    graph = OnnxNetwork(tmp_path / "audio.onnx")
    for n, t in ((1, 4), (3, 77)):
        x = torch.randn(n, 1, t, 8)
        with torch.no_grad():
            assert torch.allclose(graph(x), ears.module(x), atol=1e-5)


def test_a_graph_that_gives_other_rows_is_refused(ears: Panns, tmp_path: Path, monkeypatch: Any) -> None:
    whole = onnx._write

    def broken(network: Any, *given: Any) -> None:
        whole(network, *given)
        with torch.no_grad():
            network.network.fc1.bias += 1.0  # the graph has been written; the network moves on

    monkeypatch.setattr(onnx, "_write", broken)
    with pytest.raises(CheckpointError, match="rows differ from the network's by"):
        export_encoder(ears, tmp_path)


def test_an_encoder_without_such_a_form_is_refused(tmp_path: Path) -> None:
    class Noses(Panns):
        """Not even a Cnn14."""

    torch.manual_seed(0)
    other = Noses(Cnn14(SMALL), audio=AudioSpec(rate_hz=16_000, window_s=2.0, min_s=0.4))
    other.module = torch.nn.Linear(2, 2)
    with pytest.raises(WiringError, match="Noses has no ONNX form"):
        export_encoder(other, tmp_path)


def test_what_is_no_graph_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"no graph")
    for name in ("a.onnx", "missing.onnx"):
        with pytest.raises(CheckpointError, match="no ONNX graph"):
            OnnxNetwork(tmp_path / name)


@pytest.mark.parametrize("package", ["onnx", "onnxruntime", "onnxscript"])
def test_a_missing_extra_says_what_to_type(
    ears: Panns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"'{package}' is not installed; type: pip install 'vlmkit\[edge\]'"):
        export_encoder(ears, tmp_path)


def test_names_of_files() -> None:
    assert file_of(frozenset({"video", "image"})) == "image-video.onnx"


def test_a_graph_without_its_runtime_says_what_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'vlmkit\[edge\]'"):
        OnnxNetwork(tmp_path / "audio.onnx")
