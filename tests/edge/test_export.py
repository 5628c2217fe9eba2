"""A tiny random PurrSight head, exported once: what comes back is what went in, or it is refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import vlmkit
from vlmkit.checkpoint import open_checkpoint
from vlmkit.composed import LLM
from vlmkit.edge import Exported, Sealed, export, is_packed, open_packed, seal
from vlmkit.edge.onnx import TOLERANCE
from vlmkit.edge.packed import ABOUT, INT8
from vlmkit.errors import AdapterError, CheckpointError, WiringError
from vlmkit.head import Head
from vlmkit.llms.int8 import is_int8
from vlmkit.loading import load, open_head
from vlmkit.types import Clip, Image, Sample, Sound

RATE_HZ = 16_000


def _samples() -> list[Sample]:
    rng = np.random.default_rng(0)
    picture = Image(rng.integers(0, 255, (96, 128, 3), dtype=np.uint8))
    sound = Sound(rng.normal(0, 0.1, (1, 2 * RATE_HZ)).astype(np.float32), rate_hz=RATE_HZ)
    film = Clip(rng.integers(0, 255, (8, 64, 96, 3), dtype=np.uint8), fps=4.0)
    return [
        Sample("picture", {"image": picture}, "It sits."),
        Sample("sound", {"audio": sound}),
        Sample("film", {"video": film}),
    ]


def _rows(head: Head[Any]) -> dict[str, torch.Tensor]:
    with torch.inference_mode():
        found = head.model.features([head.model.prepare(sample) for sample in _samples()], every=False)
    return {modality: rows.values for modality, rows in found.items()}


@pytest.fixture(scope="module")
def original() -> Head[Any]:
    return open_head("purrsight", preset="tiny", weights="random")


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, original: Head[Any]) -> Exported:
    head = open_head("purrsight", preset="tiny", weights="random")  # the same: random weights have a fixed seed
    return export(head, tmp_path_factory.mktemp("edge") / "out")


@pytest.fixture(scope="module")
def packed(done: Exported) -> Head[Any]:
    return open_head(done.folder)


@pytest.fixture
def copied(done: Exported, tmp_path: Path) -> Path:
    return Path(shutil.copytree(done.folder, tmp_path / "copy"))


def test_encoders_give_the_same_rows(original: Head[Any], packed: Head[Any]) -> None:
    wanted, found = _rows(original), _rows(packed)
    assert set(found) == set(wanted) == {"image", "video", "audio"}
    for modality, rows in wanted.items():
        assert len(rows) == len(found[modality]) > 0
        assert float((found[modality] - rows).abs().max() / rows.abs().max()) < TOLERANCE


def test_what_was_written_is_told(done: Exported) -> None:
    assert set(done.encoders) == {"image-video.onnx", "audio.onnx"}
    assert all(difference < TOLERANCE for difference in done.encoders.values())
    assert done.llm.cosine > 0.99
    assert done.bytes == sum(path.stat().st_size for path in done.folder.rglob("*") if path.is_file())
    assert "base/llm/int8.safetensors" in done.sizes
    assert "int8" not in str(sorted(done.folder.glob("*")))


def test_the_language_model_is_the_same_to_the_bit(packed: Head[Any]) -> None:
    wanted = open_head("purrsight", preset="tiny", weights="random", precision="int8")
    one, two = (head.model.llm.hf.state_dict() for head in (wanted, packed))  # type: ignore[union-attr]
    assert set(one) == set(two)
    assert all(torch.equal(one[key], two[key]) for key in one)
    assert two["lm_head.weight"].data_ptr() == two["model.embed_tokens.weight"].data_ptr()
    texts = [[p.raw for p in head.predict_many(_samples())] for head in (wanted, packed)]
    assert texts[0] == texts[1]
    assert all(texts[0])


def test_it_is_a_checkpoint_without_the_text_tower(original: Head[Any], packed: Head[Any], done: Exported) -> None:
    assert packed.provenance["changed_since_training"] == []
    assert packed.provenance["preset"] == "tiny"
    assert {"text"} not in [encoder.modalities for encoder in packed.model.encoders]
    assert packed.provenance["specs"] == {m: original.provenance["specs"][m] for m in ("image", "video", "audio")}
    assert is_packed(done.folder / "base") and not is_packed(done.folder) and not is_packed(None)
    assert open_checkpoint(done.folder).adapter is None


def test_random_parts_stay_untrained(done: Exported) -> None:
    with pytest.raises(CheckpointError, match="have never been trained"):
        load(done.folder)


@pytest.mark.parametrize(
    "name", [f"base/{LLM}/{INT8}", "base/audio.onnx", f"base/{ABOUT}", "base/projector.safetensors"]
)
def test_an_edited_or_missing_file_is_refused(copied: Path, name: str) -> None:
    file = copied / name
    whole = bytearray(file.read_bytes())
    whole[-1] ^= 1
    file.write_bytes(whole)
    with pytest.raises(CheckpointError, match=f"{Path(name).name} was changed after saving"):
        open_head(copied)
    file.unlink()
    with pytest.raises(CheckpointError, match=f"{Path(name).name} is missing"):
        open_head(copied)


def test_parts_that_do_not_fit_are_refused(copied: Path) -> None:
    base = copied / "base"
    shutil.copy(base / "aligner.safetensors", base / LLM / INT8)
    with pytest.raises(CheckpointError, match="weights do not fit, the first is"):
        open_packed(base).llm()
    (base / ABOUT).write_text('{"format": 2}')
    with pytest.raises(CheckpointError, match=f"{ABOUT} is missing or damaged"):
        open_packed(base)


def test_another_precision_or_a_gpu_is_refused(done: Exported) -> None:
    with pytest.raises(CheckpointError, match="holds int8 weights, and precision='bf16' was asked for"):
        open_head(done.folder, precision="bf16")
    assert is_int8(open_head(done.folder, precision="int8").model.llm.hf)  # type: ignore[union-attr]
    with pytest.raises(WiringError, match=r"sees no GPU|is for the CPU"):
        open_head(done.folder, device="cuda")


def test_int8_is_neither_saved_nor_trained_nor_adapted(packed: Head[Any], tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="vlmkit export"):
        packed.save_pretrained(tmp_path / "again")
    with pytest.raises(AdapterError, match="merged before"):
        packed.merge_adapter()
    with pytest.raises(WiringError, match="cannot be trained"):
        packed.model.backbone.add_lora(r=2)  # type: ignore[union-attr]
    with pytest.raises(AdapterError, match="take no adapter"):
        packed.model.backbone.load_adapter(tmp_path)  # type: ignore[union-attr]
    with pytest.raises(WiringError, match="cannot be trained; train in fp32"):
        vlmkit.train("purrsight", data=tmp_path, out=tmp_path / "out", precision="int8")


def test_an_adapter_is_merged_first() -> None:
    head = open_head("purrsight", preset="tiny", weights="random")
    backbone: Any = head.model.backbone
    backbone.add_lora(r=4, targets=("q_proj", "v_proj"))
    for name, parameter in head.model.roles["lora"].items():
        torch.nn.init.normal_(parameter, std=0.3, generator=torch.Generator().manual_seed(len(name)))
    ids = torch.arange(40)[None]
    with torch.inference_mode():
        wanted = backbone.hf.eval()(input_ids=ids).logits
        seal(head.model)
        found = backbone.hf(input_ids=ids).logits
        plain = open_head("purrsight", preset="tiny", weights="random").model.llm.hf(input_ids=ids).logits  # type: ignore[union-attr]
    assert isinstance(head.model.backbone, Sealed)
    assert (found - wanted).norm() < 0.4 * (plain - wanted).norm()


def test_a_folder_in_use_is_refused_before_the_work(original: Head[Any], tmp_path: Path) -> None:
    (tmp_path / "mine.txt").touch()
    with pytest.raises(CheckpointError, match="is not empty; name a new folder"):
        export(original, tmp_path)


def test_a_native_head_has_no_int8_form(tmp_path: Path) -> None:
    with pytest.raises(WiringError, match="not for vision-language models"):
        open_head("warehouse", preset="tiny", weights="random", precision="int8")
    with pytest.raises(WiringError, match="has no form for small machines"):
        export(open_head("warehouse", preset="tiny", weights="random"), tmp_path / "out")
    assert not (tmp_path / "out").exists()
