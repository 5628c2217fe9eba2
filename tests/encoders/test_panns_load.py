"""Which Cnn14 a file is, and that it is loaded whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.encoders.cnn14 import narrow, published, written
from vlmkit.encoders.panns import VARIANTS, load_cnn14
from vlmkit.encoders.panns.config import CLASSIFIER, FOURIER, MEL
from vlmkit.errors import CheckpointError


def test_the_variants_are_the_published_ones() -> None:
    figures = {name: (c.rate_hz, c.n_fft, c.n_hop, c.n_mels, c.low_hz, c.high_hz) for name, c in VARIANTS.items()}
    assert figures == {
        "32k": (32_000, 1024, 320, 64, 50, 14_000),
        "16k": (16_000, 512, 160, 64, 50, 8_000),
        "8k": (8_000, 256, 80, 64, 50, 4_000),
    }
    assert {(c.dim, c.channels) for c in VARIANTS.values()} == {(2048, (64, 128, 256, 512, 1024, 2048))}


@pytest.mark.parametrize("variant", sorted(VARIANTS))
@pytest.mark.parametrize("lean", [False, True])
def test_the_variant_and_the_widths_are_read_from_the_file(tmp_path: Path, variant: str, lean: bool) -> None:
    network = narrow(variant)
    state = published(network)
    if lean:  # what follows from the figures, and the classifier, may be absent
        state = {name: value for name, value in state.items() if name not in (*FOURIER, *CLASSIFIER)}
    found = load_cnn14(written(tmp_path, state), rate_hz=VARIANTS[variant].rate_hz)
    assert found.config == network.config
    assert not found.training
    decibels = torch.randn(2, 1, 40, 64)
    assert torch.equal(found(decibels), network(decibels))


def test_another_sample_rate_is_refused_naming_both(tmp_path: Path) -> None:
    path = written(tmp_path, published(narrow("32k")))
    with pytest.raises(CheckpointError, match="the 32k variant, trained on sound of 32000 Hz; given sound of 16000 Hz"):
        load_cnn14(path, rate_hz=16_000)


def test_legacy_has_to_be_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path, published(narrow()))
    assert load_cnn14(path).config.front == "power"
    assert load_cnn14(path, front="legacy").config.front == "legacy"


def lacks(name: str) -> Callable[[dict[str, Tensor]], object]:
    return lambda state: state.pop(name)


def sets(name: str, value: Tensor) -> Callable[[dict[str, Tensor]], object]:
    return lambda state: state.update({name: value})


BROKEN: dict[str, tuple[Callable[[dict[str, Tensor]], object], str]] = {
    "no mel filters": (lacks(MEL), "no 'logmel_extractor.melW' in it"),
    "another height": (sets(MEL, torch.zeros(201, 64)), r"melW is \[201, 64\]; wanted a height of one of 129 \(8k\)"),
    "filters of one axis": (sets(MEL, torch.zeros(129)), r"melW is \[129\]"),
    "filters of another range": (sets(MEL, torch.zeros(129, 64)), "its mel filters are not those of the 8k variant"),
    "a missing weight": (lacks("conv_block3.bn2.running_var"), "1 weights are missing, the first is 'conv_block3.bn2"),
    "a missing block": (lacks("conv_block6.conv1.weight"), "weights are unexpected, the first is 'conv_block6"),
    "an unexpected weight": (sets("att_block.weight", torch.zeros(1)), "unexpected, the first is 'att_block.weight'"),
    "another shape": (sets("fc1.bias", torch.zeros(9)), r"fc1.bias is \[9\]; wanted \[8\]"),
    "too few bands": (sets(MEL, torch.zeros(129, 16)), "6 blocks need 32 mel bands or more"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_whole_cnn14_is_refused(tmp_path: Path, name: str) -> None:
    edit, message = BROKEN[name]
    state = published(narrow())
    edit(state)
    path = written(tmp_path, state)
    with pytest.raises(CheckpointError, match=message) as caught:
        load_cnn14(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_the_pickle_itself_is_refused_with_what_to_type(tmp_path: Path) -> None:
    path = tmp_path / "Cnn14_16k.pth"
    path.write_bytes(b"")
    with pytest.raises(CheckpointError, match="vlmkit convert FILE"):
        load_cnn14(path)
