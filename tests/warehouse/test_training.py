"""Training through the public function: the loss falls, and the answer follows the frames."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import vlmkit
from vlmkit.errors import CheckpointError, DataError, UnknownNameError
from vlmkit.head import Head
from vlmkit.training.data import encode, prepare
from vlmkit.training.features import join, split
from vlmkit.training.loop import run_stage
from vlmkit.training.ordinal import OrdinalLoss
from vlmkit.training.stage import Stage
from vlmkit_plugins.warehouse.data import read
from vlmkit_plugins.warehouse.schema import CLIP_FRAMES
from vlmkit_plugins.warehouse.stages import STAGES, operation_at
from vlmkit_plugins.warehouse.synth import synth


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("clips")
    synth(folder, 8, 5, 1)
    return folder


@pytest.fixture
def head() -> Head[Any]:
    return vlmkit.load("warehouse", preset="tiny", weights="random", device="cpu")


def test_a_short_run_learns_and_the_answer_follows_the_frames(head: Head[Any], clips: Path, tmp_path: Path) -> None:
    samples = list(read(clips))[:4]
    assert len({repr(sample.truth) for sample in samples}) == 4
    stage = Stage("read", "sft", ("llm",), {"llm": 3e-3}, steps=120, batch_size=4)
    rows, bad = prepare(head.model, samples, [stage])
    assert not bad
    log = run_stage(head.model, rows, stage, tmp_path, seed=0, max_steps=None)
    first, last = log.losses[0][1], log.losses[-1][1]
    assert last < 0.2 * first
    assert log.trained == {"llm": sum(p.numel() for p in head.model.roles["llm"].values())}
    answers = [one.value for one in head.predict_many(samples)]
    assert answers == [sample.truth for sample in samples]
    # The same ids with another clip's frames: the film reaches the model, or nothing would change.
    swapped = [replace(one, media=other.media) for one, other in zip(samples, samples[1:] + samples[:1], strict=True)]
    assert [one.value for one in head.predict_many(swapped)] == answers[1:] + answers[:1]


def test_a_probe_wakes_the_encoder_alone(head: Head[Any], clips: Path, tmp_path: Path) -> None:
    stage = Stage("see", "probe", ("encoder",), {"encoder": 2e-3}, steps=25, batch_size=8, label_at=operation_at)
    rows, _ = prepare(head.model, list(read(clips)), [stage])
    before = {name: p.detach().clone() for name, p in head.model.roles["llm"].items()}
    log = run_stage(head.model, rows, stage, tmp_path, seed=0, max_steps=None)
    assert log.losses[-1][1] < 0.8 * log.losses[0][1]
    assert set(log.trained) == {"encoder"}
    assert all(before[name].equal(p) for name, p in head.model.roles["llm"].items())


def test_train_writes_a_checkpoint_that_says_what_was_done(clips: Path, tmp_path: Path) -> None:
    out = vlmkit.train(
        "warehouse", data=clips, out=tmp_path / "run", preset="tiny", weights="random", device="cpu", max_steps=1
    )
    again = vlmkit.load(out, device="cpu")
    (training,) = again.provenance["training"]
    assert [stage["name"] for stage in training["stages"]] == [stage.name for stage in STAGES["tiny"]]
    assert [stage["steps"] for stage in training["stages"]] == [1] * len(STAGES["tiny"])
    assert training["data"]["samples"] == 8
    assert again.provenance["synthetic"] is True
    with pytest.raises(CheckpointError, match="not empty"):
        vlmkit.train("warehouse", data=clips, out=out, preset="tiny", weights="random", max_steps=1)


def test_lora_on_a_saved_base_trains_the_adapter_only(head: Head[Any], clips: Path, tmp_path: Path) -> None:
    head.save_pretrained(tmp_path / "base")
    stages = {"tiny": STAGES["qwen2.5-vl-3b"]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vlmkit_plugins.warehouse.stages.STAGES", stages)
        out = vlmkit.train(
            "warehouse", data=clips, out=tmp_path / "run", model=tmp_path / "base", device="cpu", max_steps=2
        )
    assert (out / "adapter_model.safetensors").is_file()
    assert (out / "base").is_dir()  # weights that only exist here travel with their adapter
    again = vlmkit.load(out, device="cpu")
    assert again.provenance["adapted_modules"] > 0
    assert list(again.provenance["training"][-1]["stages"][0]["trained"]) == ["lora"]
    assert len(again.provenance["training"]) == 1


def test_data_without_truth_and_unknown_stages_are_refused(clips: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no truth"):
        vlmkit.train("warehouse", data=clips / "videos", out=tmp_path / "a", preset="tiny", weights="random")
    with pytest.raises(UnknownNameError, match="unknown stage 'grpo'"):
        vlmkit.train("warehouse", data=clips, out=tmp_path / "b", preset="tiny", weights="random", stage="grpo")


def test_encoded_rows_survive_being_taken_apart(head: Head[Any], clips: Path) -> None:
    features = head.model.features([head.model.prepare(sample) for sample in list(read(clips))[:3]])["video"]
    again = join(split({"video": features}, 3))["video"]
    assert again.lengths == features.lengths
    for name in ("values", "times_s", "grid", "step_s"):
        assert getattr(again, name).equal(getattr(features, name))


def test_numbers_are_soft_targets_and_the_ends_are_hard(head: Head[Any]) -> None:
    import torch

    tokenizer = head.model.llm.tokenizer  # type: ignore[union-attr]
    loss = OrdinalLoss(tokenizer, CLIP_FRAMES, sigma=3.0)

    def of(label: str, said: str) -> float:
        ids = [tokenizer(word, add_special_tokens=False)["input_ids"][0] for word in (label, said)]
        logits = torch.zeros(1, len(tokenizer))
        logits[0, ids[1]] = 10.0
        return loss(logits, torch.tensor([ids[0]])).item()

    assert of("40", "40") < of("40", "41") < of("40", "45") < of("40", "90")
    assert of("125", "124") == pytest.approx(of("125", "90"))
    assert of("0", "0") < 0.1 < of("0", "1")
    assert of("Tape", "Tape") < 0.1


def test_every_stage_runs_in_bf16_with_adapters_in_fp32(clips: Path, tmp_path: Path) -> None:
    import torch

    head = vlmkit.load("warehouse", preset="tiny", weights="random", device="cpu", precision="bf16")
    rows, _ = prepare(head.model, list(read(clips)), STAGES["tiny"])
    for stage in STAGES["tiny"]:
        run_stage(head.model, rows, replace(stage, batch_size=4), tmp_path / stage.name, seed=0, max_steps=1)
    assert head.model.backbone is not None
    head.model.backbone.add_lora(role="llm", r=2, alpha=4)
    assert {p.dtype for p in head.model.roles["lora"].values()} == {torch.float32}
    lora = Stage("lora", "sft", ("lora",), {"lora": 1e-3}, steps=1, batch_size=4)
    assert run_stage(head.model, rows, lora, tmp_path, seed=0, max_steps=1).losses


def test_adapters_in_the_encoder_get_gradients(head: Head[Any], clips: Path, tmp_path: Path) -> None:
    assert head.model.backbone is not None
    head.model.backbone.add_lora(role="encoder", r=2, alpha=4, targets=("attn.qkv", "attn.proj"))
    lora = Stage("lora", "sft", ("lora",), {"lora": 1e-2}, steps=2, batch_size=4)
    rows, _ = prepare(head.model, list(read(clips))[:4], [lora])
    run_stage(head.model, rows, lora, tmp_path, seed=0, max_steps=None)
    assert any(p.abs().max() > 0 for name, p in head.model.roles["lora"].items() if "lora_B" in name)


def test_encoded_rows_hold_no_pixels(head: Head[Any], clips: Path) -> None:
    rows, _ = prepare(head.model, list(read(clips))[:3], STAGES["tiny"])
    assert any("pixel_values_videos" in made for one in rows.prepared for made in one.inputs)  # a stage trains it
    kept = encode(head.model, rows, [0])
    assert all(len(row.kept["video"].values) for row in kept.items)
    assert not any(name.startswith("pixel") for one in kept.prepared for made in one.inputs for name in made)


def test_training_goes_on_from_a_checkpoint_and_remembers(head: Head[Any], clips: Path, tmp_path: Path) -> None:
    head.save_pretrained(tmp_path / "base")
    first = vlmkit.train(
        "warehouse", data=clips, out=tmp_path / "1", model=tmp_path / "base", stage="read", max_steps=1
    )
    second = vlmkit.train("warehouse", data=clips, out=tmp_path / "2", model=first, stage="join", max_steps=1)
    runs = vlmkit.load(second, device="cpu").provenance["training"]
    assert [run["stages"][0]["name"] for run in runs] == ["read", "join"]
    assert [run["data"]["synthetic"] for run in runs] == [True, True]
