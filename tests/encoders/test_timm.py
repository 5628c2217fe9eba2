"""timm trunks: their own preprocessing, the row that their own head reads, and weights that fit or are refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from huggingface_hub import constants
from safetensors.torch import save_file
from torch import nn

from tests.media import films
from vlmkit.encoders.timm import TimmImages, open_timm
from vlmkit.errors import CheckpointError, MediaError, MissingExtraError, UnknownNameError, WiringError
from vlmkit.media import ImageSpec, VideoSpec
from vlmkit.types import Batch, Clip, Features, Image, Media, Modality, Sample

MOBILENET = "mobilenetv4_conv_small.e2400_r224_in1k"
IMAGE = ImageSpec(min_pixels=1, max_pixels=640 * 480, multiple_px=1)
VIDEO = VideoSpec(sampler="uniform", frames=3, max_frames=3, min_pixels=1, max_pixels=320 * 240, multiple_px=1)


def trunk(name: str = MOBILENET, **options: Any) -> Any:
    torch.manual_seed(0)
    return timm.create_model(name, num_classes=0, **options).eval()


def encoder(model: nn.Module | None = None) -> TimmImages:
    return TimmImages(model or trunk("test_efficientnet"), image=IMAGE, video=VIDEO)


def picture(seed: int = 0, size: tuple[int, int] = (300, 200)) -> Image:
    """Coarse colours: what is left of fine noise after scaling is grey."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return Image(coarse.repeat(size[1] // 5, 0).repeat(size[0] // 6, 1))


def sample(**media: Media) -> Sample:
    names: tuple[Modality, ...] = ("image", "video")
    return Sample("one", {name: media[name] for name in names if name in media})


def rows(reader: TimmImages, *samples: Sample) -> dict[Modality, Features]:
    names: tuple[Modality, ...] = ("image", "video")
    made = []
    for one in samples:
        inputs: dict[str, Any] = {}
        for name in names:
            inputs |= reader.transform(one, name) or {}
        made.append(inputs)
    with torch.inference_mode():
        return reader.encode(Batch(samples, tuple(made)))


def test_the_row_of_mobilenetv4_is_the_mean_of_its_map_and_not_the_hidden_layer_of_its_head() -> None:
    whole = trunk()
    assert (whole.num_features, whole.head_hidden_size) == (960, 1280)
    pixels = torch.randn(2, 3, 224, 224)
    with torch.inference_mode():
        wanted = whole.forward_features(pixels).mean((2, 3))
        reader = TimmImages(whole, image=IMAGE, video=VIDEO)
        found = reader.encode(Batch((Sample("a"),), ({"pixel_values": pixels},)))["image"]
    assert reader.dim == 960 and found.values.shape == (2, 960)
    torch.testing.assert_close(found.values, wanted, rtol=1e-5, atol=1e-4)
    lean = open_timm(MOBILENET, "random")
    lean.load_state_dict({name: value for name, value in whole.state_dict().items() if name in lean.state_dict()})
    assert sum(p.numel() for p in lean.parameters()) == 1_261_664  # the head's 1.2 million are gone
    with torch.inference_mode():
        again = TimmImages(lean, image=IMAGE, video=VIDEO).encode(Batch((Sample("a"),), ({"pixel_values": pixels},)))
    torch.testing.assert_close(again["image"].values, wanted, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("name", ["test_efficientnet", "test_vit", "test_convnext"])
def test_rows_are_what_timms_own_head_reads(name: str) -> None:
    model = trunk(name)
    reader = encoder(model)
    made = reader.transform(sample(image=picture()), "image")
    assert made is not None
    with torch.inference_mode():
        wanted = model(made["pixel_values"])  # without classifier: its input
    found = rows(reader, sample(image=picture()))["image"].values
    assert found.shape == (1, reader.dim)
    torch.testing.assert_close(found, wanted)
    assert wanted.abs().mean() > 1e-3


def test_channels_that_come_last_are_not_averaged() -> None:
    model = trunk("mambaout_femto", pretrained_cfg_overlay={"input_size": (3, 64, 64)})
    assert model.output_fmt == "NHWC" and model.head_hidden_size != model.num_features
    reader = encoder(model)
    made = reader.transform(sample(image=picture()), "image")
    assert made is not None
    with torch.inference_mode():
        wanted = model.forward_features(made["pixel_values"]).mean((1, 2))
    torch.testing.assert_close(rows(reader, sample(image=picture()))["image"].values, wanted)


@pytest.mark.parametrize(("name", "mean", "std"), [(MOBILENET, 0.485, 0.229), ("vit_tiny_patch16_224", 0.5, 0.5)])
def test_preprocessing_is_the_models_own(name: str, mean: float, std: float) -> None:
    reader = encoder(trunk(name))
    white = Image(np.full((90, 130, 3), 255, dtype=np.uint8))
    made = reader.transform(sample(image=white), "image")
    assert made is not None and made["pixel_values"].shape == (1, 3, 224, 224)
    torch.testing.assert_close(made["pixel_values"][:, 0], torch.full((1, 224, 224), (1 - mean) / std))
    data = reader.spec["image"]["data"]
    assert data == reader.spec["video"]["data"] and data["crop_pct"] in (0.875, 0.9)
    assert data["interpolation"] == "bicubic"


def test_a_film_gives_one_row_a_frame_with_its_time() -> None:
    reader = encoder()
    clip = Clip(films.film(50))
    found = rows(reader, sample(video=clip))["video"]
    assert found.lengths == (3,) and found.times_s is not None
    assert (found.times_s.diff() > 0.5).all()
    made = reader.transform(sample(video=clip), "video")
    assert made is not None and made["facts"] == {"video_s": 2.0}
    first, last = made["pixel_values_videos"][[0, -1]]
    assert not torch.allclose(first, last, atol=0.1)


def test_a_batch_is_many_batches_of_one_and_what_is_missing_has_no_row() -> None:
    reader = encoder()
    samples = (
        sample(image=picture(1)),
        Sample("nothing"),
        sample(video=Clip(films.film(50)), image=picture(2, (60, 300))),
        sample(video=Clip(films.film(10))),
    )
    together = rows(reader, *samples)
    assert (together["image"].lengths, together["video"].lengths) == ((1, 0, 1, 0), (0, 0, 3, 3))
    alone = [rows(reader, one) for one in samples]
    for name, found in together.items():
        assert found.values.std(0).max() > 1e-3  # else any rows would be equal
        torch.testing.assert_close(found.values, torch.cat([one[name].values for one in alone]), rtol=0, atol=1e-5)
    assert reader.transform(Sample("nothing"), "image") is None


def test_serving_changes_no_running_statistics() -> None:
    reader = encoder(trunk())
    before = {name: value.clone() for name, value in reader.module.state_dict().items()}
    assert any("running_mean" in name for name in before)
    rows(reader, sample(image=picture()))
    assert all(torch.equal(value, before[name]) for name, value in reader.module.state_dict().items())


def test_bad_media_are_media_errors(tmp_path: Path) -> None:
    reader = encoder()
    for bad in (sample(image=Image(tmp_path / "no.png")), sample(image=Clip(tmp_path / "no.mp4"))):
        with pytest.raises(MediaError, match=r"missing|an Image was wanted; given Clip"):
            reader.transform(bad, "image")
    with pytest.raises(MediaError, match="a Clip was wanted; given Image"):
        reader.transform(sample(video=picture()), "video")


def test_the_spec_is_json_that_replays() -> None:
    spec = json.loads(json.dumps(encoder(trunk()).spec))
    assert spec["image"]["trunk"] == spec["video"]["trunk"] == MOBILENET
    assert ImageSpec.from_json(spec["image"]["picture"]) == IMAGE
    assert VideoSpec.from_json(spec["video"]["film"]) == VIDEO


def test_what_is_no_trunk_is_refused() -> None:
    with pytest.raises(WiringError, match="Linear is no timm trunk"):
        encoder(nn.Linear(2, 2))
    tokens = encoder(trunk("test_vit", global_pool=""))
    with pytest.raises(WiringError, match=r"rows of shape \[101, 64\]; wanted \[64\]"):
        rows(tokens, sample(image=picture()))


def test_a_name_that_timm_lacks_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'mobilenetv4_conv_small'"):
        open_timm("mobilenet4_conv_small", "random")


@pytest.mark.parametrize("classifier", [True, False])
@pytest.mark.parametrize("name", ["test_efficientnet", MOBILENET])
def test_weights_from_a_file(tmp_path: Path, name: str, classifier: bool) -> None:
    torch.manual_seed(1)
    whole = timm.create_model(name, num_classes=7 if classifier else 0).eval()
    path = tmp_path / "model.safetensors"
    save_file({key: value.contiguous() for key, value in whole.state_dict().items()}, path)
    found = open_timm(name, path)
    assert not found.training
    pixels = torch.randn(1, 3, 160, 160)
    with torch.inference_mode():
        torch.testing.assert_close(found.forward_features(pixels), whole.forward_features(pixels))  # type: ignore[operator]


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    state = {key: value.contiguous() for key, value in trunk("test_efficientnet").state_dict().items()}
    path = tmp_path / "model.safetensors"
    first = sorted(state)[0]
    for broken in (
        {key: value for key, value in state.items() if key != first},
        {**state, "aux.weight": torch.zeros(1)},
        {**state, first: torch.zeros(1)},
    ):
        save_file(broken, path)
        with pytest.raises(CheckpointError, match="1 weights do not fit 'test_efficientnet', the first is"):
            open_timm("test_efficientnet", path)
    pickle = tmp_path / "model.pth"
    pickle.write_bytes(b"")
    with pytest.raises(CheckpointError, match="vlmkit convert FILE"):
        open_timm("test_efficientnet", pickle)


def test_offline_is_one_line_that_names_tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(CheckpointError, match=rf"cannot load 'timm/{MOBILENET}'.*preset='tiny'") as caught:
        open_timm(MOBILENET)
    assert "\n" not in str(caught.value)


def test_pretrained_weights_come_from_the_hubs_safetensors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.safetensors"
    whole: Any = timm.create_model("test_efficientnet")
    save_file({key: value.contiguous() for key, value in whole.state_dict().items()}, path)
    asked: list[tuple[str, str]] = []

    def fetch(repository: str, filename: str) -> str:
        asked.append((repository, filename))
        if path.exists():
            return str(path)
        raise OSError("404")

    monkeypatch.setattr("vlmkit.encoders.timm.require_reachable", lambda *names: None)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", fetch)
    found: Any = open_timm("test_efficientnet")
    assert asked == [("timm/test_efficientnet.r160_in1k", "model.safetensors")]
    assert torch.equal(found.conv_stem.weight, whole.conv_stem.weight)
    path.unlink()
    with pytest.raises(CheckpointError, match=r"the hub gives no model.safetensors of it; preset='tiny'"):
        open_timm("test_efficientnet")


def test_without_timm_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'vlmkit\[vision\]'"):
        open_timm(MOBILENET, "random")
