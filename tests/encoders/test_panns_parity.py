"""Against the published code, with the same random weights; and torchaudio's mel against librosa's."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import librosa
import numpy as np
import pytest
import torch
from torch import nn

from tests.encoders.cnn14 import loud, stir
from vlmkit.encoders.panns import VARIANTS, Cnn14, LogMel, PannsConfig, detect
from vlmkit.encoders.panns.config import CLASSIFIER, FOURIER, MEL, layout

N_CLASSES = 527


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """`panns_inference.models`. Importing the package fetches a table of labels unless it is there."""
    import matplotlib.pyplot  # noqa: F401 - looks for its own folder at home, and has to find the real one

    home = tmp_path_factory.mktemp("home")
    table = home / "panns_data" / "class_labels_indices.csv"
    table.parent.mkdir()
    table.write_text("index,mid,display_name\n" + "".join(f"{i},/m/{i},{i}\n" for i in range(N_CLASSES)))

    def refuse(command: str) -> int:
        raise AssertionError(f"a test must not run {command!r}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "home", lambda: home)
        patch.setattr(os, "system", refuse)
        yield importlib.import_module("panns_inference.models")


def reference(models: ModuleType, config: PannsConfig) -> Any:
    torch.manual_seed(0)
    figures = (config.rate_hz, config.n_fft, config.n_hop, config.n_mels, config.low_hz, config.high_hz)
    network = models.Cnn14(*figures, N_CLASSES)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            stir(module)
    loud(network.bn0)
    return network.eval()


@pytest.mark.parametrize("variant", ["32k", "16k"])
def test_rows_are_those_of_the_published_code(models: ModuleType, variant: str) -> None:
    config = VARIANTS[variant]
    theirs = reference(models, config)
    state = theirs.state_dict()
    shapes = {name: tuple(value.shape) for name, value in state.items()}
    assert set(shapes) == {*layout(config), MEL, *FOURIER, *CLASSIFIER}
    assert detect(shapes, "it") == (variant, config)
    ours = Cnn14(config).eval()
    ours.load_state_dict({name: state[name] for name in layout(config)})
    assert sum(value.numel() for value in ours.parameters()) == pytest.approx(79.67e6, rel=1e-3)

    sound = torch.randn(2, config.rate_hz) * torch.tensor([[0.1], [0.001]])
    with torch.inference_mode():
        wanted = theirs(sound)["embedding"]
        found = ours(LogMel(config)(sound))
    assert wanted.shape == found.shape == (2, 2048)
    assert wanted.abs().mean() > 0.05  # the tolerance means something
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("variant", sorted(VARIANTS))
def test_filters_are_librosas(variant: str) -> None:
    """To 1e-5 of the largest weight: float32 against float64."""
    config = VARIANTS[variant]
    wanted = librosa.filters.mel(
        sr=config.rate_hz, n_fft=config.n_fft, n_mels=config.n_mels, fmin=config.low_hz, fmax=config.high_hz
    ).T
    np.testing.assert_allclose(LogMel(config).filters.numpy(), wanted, rtol=0, atol=1e-5 * wanted.max())


@pytest.mark.parametrize("variant", ["32k", "16k"])
def test_decibels_are_librosas(variant: str) -> None:
    """To 0.01 dB, over noise, near silence and silence."""
    config = VARIANTS[variant]
    noise = np.random.default_rng(0).normal(0, 0.1, config.rate_hz).astype(np.float32)
    noise[config.rate_hz // 3 :] *= 1e-3
    noise[2 * config.rate_hz // 3 :] = 0
    power = librosa.feature.melspectrogram(
        y=noise,
        sr=config.rate_hz,
        n_fft=config.n_fft,
        hop_length=config.n_hop,
        n_mels=config.n_mels,
        fmin=config.low_hz,
        fmax=config.high_hz,
        pad_mode="reflect",
        power=2.0,
    )
    wanted = librosa.power_to_db(power, ref=1.0, amin=1e-10, top_db=None).T
    found = LogMel(config)(torch.from_numpy(noise)[None])[0, 0].numpy()
    assert wanted.shape == found.shape == (config.rate_hz // config.n_hop + 1, config.n_mels)
    assert wanted.min() == pytest.approx(-100) and wanted.max() > -10
    np.testing.assert_allclose(found, wanted, rtol=0, atol=0.01)
