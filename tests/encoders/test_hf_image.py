"""Vision models of transformers: their own rows, their own preprocessing, and weights that are all there or refused."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as pillow
from PIL import ImageOps
from safetensors.torch import load_file, save_file
from transformers import (
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPVisionModel,
    ConvNextConfig,
    ConvNextModel,
    Dinov2Config,
    Dinov2Model,
    SiglipConfig,
    SiglipImageProcessorPil,
    SiglipModel,
    SiglipVisionConfig,
    SiglipVisionModel,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessorPil,
    ViTModel,
)

from vlmkit.encoders.hf_image import HfImages, Row, framing_of, open_image_tower
from vlmkit.errors import CheckpointError, MediaError, WiringError
from vlmkit.media.framing import Framing
from vlmkit.media.spec import ImageSpec
from vlmkit.types import Batch, Clip, Features, Image, Sample

SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
VISION = {**SMALL, "image_size": 24, "patch_size": 8, "initializer_range": 0.5}
WORDS = {**SMALL, "vocab_size": 12, "max_position_embeddings": 8, "bos_token_id": 1, "eos_token_id": 2}
HALF = (0.5, 0.5, 0.5)
FRAMING = Framing(24, 24, HALF, HALF)


def siglip() -> Any:
    torch.manual_seed(0)
    return SiglipVisionModel(SiglipVisionConfig(**VISION)).eval()


def processor() -> Any:
    return SiglipImageProcessorPil(size={"height": 24, "width": 24}, image_mean=HALF, image_std=HALF)


def pixels(seed: int = 0, size: tuple[int, int] = (60, 40)) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    return coarse.repeat(size[1] // 4, 0).repeat(size[0] // 5, 1)


def sample(name: str = "one", source: Any = None) -> Sample:
    return Sample(name, {"image": Image(pixels() if source is None else source)})


def rows(reader: HfImages, *samples: Sample) -> Features:
    made = tuple(reader.transform(one, "image") or {} for one in samples)
    with torch.inference_mode():
        return reader.encode(Batch(samples, made))["image"]


def written(kind: str) -> bytes:
    """One picture as files of many sorts have it."""
    made = pillow.fromarray(pixels(3))
    buffer = io.BytesIO()
    if kind == "rotated":
        exif = pillow.Exif()
        exif[0x0112] = 6
        made.save(buffer, "PNG", exif=exif)
        return buffer.getvalue()
    if kind in ("RGBA", "see-through"):
        alpha = np.full((*pixels(3).shape[:2], 1), 255, np.uint8)
        if kind == "see-through":
            alpha[:20, :30] = 90
        made = pillow.fromarray(np.concatenate([pixels(3), alpha], axis=2))
    made = {"grey": made.convert("L"), "palette": made.convert("P")}.get(kind, made)
    made.save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["RGB", "grey", "RGBA", "see-through", "palette", "rotated"])
def test_rows_are_those_of_transformers_own_processor_and_model(kind: str) -> None:
    hf, content = siglip(), written(kind)
    found = rows(HfImages(hf, FRAMING), sample(source=content))
    upright = ImageOps.exif_transpose(pillow.open(io.BytesIO(content)))
    assert (upright.size == (40, 60)) == (kind == "rotated")
    with torch.inference_mode():
        wanted = hf(**processor()(images=upright, return_tensors="pt")).pooler_output
    assert wanted.std() > 0.1
    torch.testing.assert_close(found.values, wanted, rtol=0, atol=1e-5)


def test_a_batch_is_many_batches_of_one_and_no_picture_has_no_row() -> None:
    reader = HfImages(siglip(), FRAMING)
    samples = [sample("a"), Sample("b", text="words"), sample("c", pixels(1, (30, 80)))]
    together = rows(reader, *samples)
    assert together.lengths == (1, 0, 1) and together.values.shape == (2, reader.dim) == (2, 16)
    alone = torch.cat([rows(reader, one).values for one in samples])
    torch.testing.assert_close(together.values, alone, rtol=0, atol=1e-5)
    assert not torch.allclose(together.values[0], together.values[1], atol=0.1)


def test_what_was_done_to_a_picture_is_said() -> None:
    reader = HfImages(siglip(), FRAMING)
    made = reader.transform(sample(source=written("see-through")), "image") or {}
    assert made["pixel_values"].shape == (1, 3, 24, 24)
    assert [note.code for note in made["notes"]] == ["alpha_flattened"]
    black = reader.transform(sample(source=np.zeros((9, 9, 3), np.uint8)), "image") or {}
    assert [note.code for note in black["notes"]] == ["blank"]
    with pytest.raises(MediaError, match="not_media"):
        reader.transform(sample(source=b"no picture"), "image")
    with pytest.raises(MediaError, match="an Image was wanted; given Clip"):
        reader.transform(Sample("x", {"image": Clip("film.mp4")}), "image")


def dino() -> Any:
    return Dinov2Model(Dinov2Config(**{k: v for k, v in VISION.items() if k != "intermediate_size"}))


def vit(**options: Any) -> Any:
    return ViTModel(ViTConfig(**VISION), **options)


@pytest.mark.parametrize(
    ("make", "given", "row"),
    [
        (lambda: CLIPVisionModel(CLIPConfig(text_config=WORDS, vision_config=VISION).vision_config), None, "pooled"),
        (dino, None, "pooled"),
        (dino, "first", "first"),
        (vit, None, "pooled"),
        (lambda: vit(add_pooling_layer=False), None, "first"),
        (lambda: SiglipVisionModel(SiglipVisionConfig(**VISION, vision_use_head=False)), None, "first"),
        (lambda: ConvNextModel(ConvNextConfig(hidden_sizes=[4, 8], depths=[1, 1], num_stages=2)), None, "pooled"),
    ],
    ids=["clip", "dinov2", "dinov2-first", "vit", "vit-poolless", "siglip-headless", "convnext"],
)
def test_the_row_is_the_models_own_pooling_or_its_first(make: Any, given: Row | None, row: Row) -> None:
    torch.manual_seed(0)
    hf = make().eval()
    reader = HfImages(hf, FRAMING, row=given)
    made = reader.transform(sample(), "image") or {}
    with torch.inference_mode():
        out = hf(pixel_values=made["pixel_values"])
        wanted = out.pooler_output.flatten(1) if row == "pooled" else out.last_hidden_state[:, 0]
    assert reader.spec["image"]["row"] == row and wanted.shape == (1, reader.dim)
    torch.testing.assert_close(rows(reader, sample()).values, wanted)


def test_rows_that_a_model_does_not_have_are_refused_by_name() -> None:
    headless = HfImages(vit(add_pooling_layer=False).eval(), FRAMING, row="pooled")
    with pytest.raises(WiringError, match=r"ViTModel with row='pooled' gives no such rows; .* set row='first'"):
        rows(headless, sample())
    maps = ConvNextModel(ConvNextConfig(hidden_sizes=[4, 8], depths=[1, 1], num_stages=2)).eval()
    with pytest.raises(WiringError, match="set row='pooled'"):
        rows(HfImages(maps, FRAMING, row="first"), sample())
    with pytest.raises(WiringError, match="unknown row 'mean'"):
        HfImages(siglip(), FRAMING, row="mean")  # type: ignore[arg-type]
    both = SiglipModel(SiglipConfig(text_config=WORDS, vision_config=VISION))
    with pytest.raises(WiringError, match="SiglipModel reads words too; give its vision tower"):
        HfImages(both, FRAMING)


def test_another_size_than_the_model_was_trained_on_is_read_by_moved_positions() -> None:
    hf = siglip()
    reader = HfImages(hf, Framing(40, 32, HALF, HALF))
    made = reader.transform(sample(), "image") or {}
    with torch.inference_mode():
        wanted = hf(pixel_values=made["pixel_values"], interpolate_pos_encoding=True).pooler_output
    torch.testing.assert_close(rows(reader, sample()).values, wanted)


def test_the_spec_is_json_that_can_be_replayed() -> None:
    reader = HfImages(siglip(), FRAMING, image=ImageSpec(min_pixels=1, max_pixels=999, multiple_px=1), name="x/y")
    spec = json.loads(json.dumps(reader.spec))["image"]
    assert (spec["tower"], spec["row"]) == ("x/y", "pooled")
    framing, image = Framing.from_json(spec["framing"]), ImageSpec.from_json(spec["picture"])
    again = HfImages(siglip(), framing, image=image, row=spec["row"], name=spec["tower"])
    assert again.spec == reader.spec
    assert torch.equal(rows(again, sample()).values, rows(reader, sample()).values)


def test_a_processors_figures_become_a_framing() -> None:
    assert framing_of(processor()) == FRAMING
    clip = CLIPImageProcessorPil(size={"shortest_edge": 26}, crop_size={"height": 24, "width": 24}, resample=2)
    found = framing_of(clip)
    assert (found.fit, found.shortest_px, found.width_px, found.resample) == ("crop", 26, 24, "bilinear")
    assert found.mean == pytest.approx(clip.image_mean)
    squashed = framing_of(clip, "squash")
    assert (squashed.fit, squashed.shortest_px, squashed.height_px) == ("squash", None, 24)
    plain = framing_of(ViTImageProcessorPil(size={"height": 24, "width": 24}, do_normalize=False))
    assert (plain.mean, plain.std) == ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


@pytest.mark.parametrize("odd", [{"do_rescale": False}, {"rescale_factor": 1 / 127.5}, {"do_resize": False}])
def test_preprocessing_of_another_kind_is_refused(odd: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError, match="SiglipImageProcessorPil: its preprocessing"):
        framing_of(SiglipImageProcessorPil(size={"height": 24, "width": 24}, **odd))
    with pytest.raises(CheckpointError, match="give fit= or framing="):
        framing_of(CLIPImageProcessorPil(size={"shortest_edge": 26}, do_center_crop=False))


def folder(path: Path, hf: Any) -> Path:
    hf.save_pretrained(path)
    processor().save_pretrained(path)
    return path


@pytest.mark.parametrize(("model", "config"), [(SiglipModel, SiglipConfig), (CLIPModel, CLIPConfig)])
def test_of_a_pair_of_towers_the_eyes_are_taken(
    model: Any, config: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("transformers"), "propagate", True)
    both: Any = model(config(text_config=WORDS, vision_config=VISION)).eval()
    reader = open_image_tower(folder(tmp_path, both))
    assert "LOAD REPORT" not in caplog.text
    assert not reader.module.training and not any("text" in name for name in reader.module.state_dict())
    assert reader.spec["image"]["tower"] == str(tmp_path) and reader.framing == FRAMING
    made = reader.transform(sample(), "image") or {}
    with torch.inference_mode():
        wanted = both.vision_model(pixel_values=made["pixel_values"]).pooler_output
    torch.testing.assert_close(rows(reader, sample()).values, wanted)
    half: Any = reader.module
    half.save_pretrained(tmp_path / "half")
    processor().save_pretrained(tmp_path / "half")
    again = open_image_tower(tmp_path / "half", fit="pad")
    assert again.framing.fit == "pad"
    assert open_image_tower(tmp_path / "half", framing=FRAMING).framing == FRAMING


def test_a_classifiers_tower_is_read_by_its_first_row(tmp_path: Path) -> None:
    """It was trained without a pooler, and transformers would draw one."""
    whole: Any = ViTForImageClassification(ViTConfig(**VISION)).eval()
    reader = open_image_tower(folder(tmp_path, whole))
    assert reader.spec["image"]["row"] == "first" and not any("pooler" in name for name in reader.module.state_dict())
    made = reader.transform(sample(), "image") or {}
    with torch.inference_mode():
        wanted = whole.vit(pixel_values=made["pixel_values"]).last_hidden_state[:, 0]
    torch.testing.assert_close(rows(reader, sample()).values, wanted)
    with pytest.raises(CheckpointError, match=r"2 weights are missing, the first is pooler"):
        open_image_tower(tmp_path, row="pooled")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"post_layernorm.bias": None}, "1 weights are missing, the first is .*post_layernorm.bias"),
        ({"head.probe": None}, "1 weights are missing"),
        ({"encoder.layers.7.mlp.fc1.bias": torch.zeros(32)}, "1 weights are unexpected"),
        ({"post_layernorm.bias": torch.zeros(5)}, "1 weights are mismatched"),
    ],
)
def test_weights_that_are_not_all_there_are_refused(
    tmp_path: Path, change: dict[str, torch.Tensor | None], message: str
) -> None:
    file = folder(tmp_path, siglip()) / "model.safetensors"
    state = {**load_file(file), **change}
    save_file({name: value for name, value in state.items() if value is not None}, file, metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=message):
        open_image_tower(tmp_path)


def test_pickles_and_missing_models_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(CheckpointError, match="vlmkit convert FILE"):
        open_image_tower(tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(CheckpointError, match=r"cannot load 'nobody/nothing'.*preset='tiny'"):
        open_image_tower("nobody/nothing")
