"""Wiring is checked when a model is built; one bad sample spoils nothing; roles say what learns."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from pydantic import BaseModel, Field
from torch import Tensor, nn

from tests.tiny_models import tiny_qwen2_5_vl
from vlmkit.decoders.json import JsonDecoder
from vlmkit.errors import BudgetError, WiringError
from vlmkit.media.spec import ImageSpec, VideoSpec
from vlmkit.model import Model
from vlmkit.native import Native, views
from vlmkit.projectors.identity import Identity
from vlmkit.types import (
    Batch,
    Clip,
    Features,
    Inputs,
    Limits,
    Message,
    Modality,
    Prediction,
    Prompt,
    Sample,
    Slot,
)


class Answer(BaseModel):
    """Two bounded fields."""

    colour: Literal["red", "green"]
    count: int = Field(ge=0, le=9)


def _prompt(sample: Sample) -> Prompt:
    return Prompt((Message("user", (Slot("video"), "What?")),))


@pytest.fixture(scope="module")
def native() -> Native:
    hf, processor = tiny_qwen2_5_vl()
    video = VideoSpec(min_pixels=4 * 784, max_pixels=9 * 784, max_s=5.0)
    return views(hf, processor, video=video, image=ImageSpec())


def _wired(native: Native, **changes: Any) -> Model[Answer]:
    parts: dict[str, Any] = {
        "encoders": (native.encoder,),
        "projector": native.projector,
        "llm": native.llm,
        "decoder": JsonDecoder(Answer),
        "prompt": _prompt,
        "requires": frozenset({"video"}),
        "backbone": native,
    }
    return Model(**(parts | changes))


def _film(seed: int = 0) -> Clip:
    frames = np.random.default_rng(seed).integers(0, 255, (8, 56, 84, 3), dtype=np.uint8)
    return Clip(frames, fps=4.0)


class _Counter:
    """A decoder that reads rows: it says how many a modality has."""

    reads: Literal["generation", "tokens"] = "tokens"
    module = nn.Linear(2, 2)

    def constraint(self, sample: Sample) -> None:
        return None

    def encode(self, value: dict[str, int]) -> str:
        return str(value)

    def decode(self, evidence: Mapping[Modality, Tensor], sample: Sample) -> Prediction[dict[str, int]]:
        return Prediction(sample.id, {modality: len(rows) for modality, rows in evidence.items()})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"projector": None}, "without a projector"),
        ({"projector": Identity(frozenset({"image", "video"}), 99)}, "width"),
        ({"llm": None}, "needs an llm"),
        ({"prompt": None}, "and a prompt"),
        ({"decoder": _Counter()}, "llm has to be None"),
    ],
)
def test_a_wiring_mistake_is_found_when_built(native: Native, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(WiringError, match=words):
        _wired(native, **changes)


def test_two_readers_of_one_modality_are_refused(native: Native) -> None:
    with pytest.raises(WiringError, match="two encoders read"):
        _wired(native, encoders=(native.encoder, native.encoder))


def test_a_budget_below_the_schema_is_refused_when_built(native: Native) -> None:
    bounds = JsonDecoder(Answer).bounds
    assert _wired(native, limits=Limits(bounds.minimum)).limits == Limits(bounds.minimum)
    with pytest.raises(BudgetError, match=f"{bounds.minimum} is the least"):
        _wired(native, limits=Limits(bounds.minimum - 1))


def test_answers_are_valid_and_one_bad_sample_spoils_nothing(native: Native, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no film")
    samples = [
        Sample("good", {"video": _film()}),
        Sample("broken", {"video": Clip(broken)}),
        Sample("missing", {"video": Clip(tmp_path / "none.mp4")}),
        Sample("blind"),
        Sample("also good", {"video": _film(1)}),
    ]
    found = _wired(native).predict(samples)
    assert [one.sample_id for one in found] == [sample.id for sample in samples]
    assert [one.value is not None for one in found] == [True, False, False, False, True]
    codes = [[problem.code for problem in one.problems if problem.fatal] for one in found]
    assert codes == [[], ["media_not_media"], ["media_missing"], ["modality_missing"], []]
    assert [one.used for one in found] == [("video",), (), (), (), ("video",)]
    alone = _wired(native).predict([samples[4]])[0]
    assert (alone.value, alone.raw) == (found[4].value, found[4].raw)
    assert alone.confidence["reply"] == pytest.approx(found[4].confidence["reply"], rel=1e-3)


def test_roles_partition_the_weights_and_lora_is_its_own(native: Native) -> None:
    hf, processor = tiny_qwen2_5_vl()
    own = views(hf, processor, video=VideoSpec(), image=ImageSpec())
    model = _wired(own)
    assert sum(p.numel() for role in model.roles.values() for p in role.values()) == sum(
        p.numel() for p in hf.parameters()
    )
    own.add_lora(role="llm", r=2, alpha=4)
    counts = model.train_roles(("lora",))
    assert counts["lora"] == sum(p.numel() for n, p in hf.named_parameters() if p.requires_grad and "lora_" in n) > 0
    assert not any(p.requires_grad for n, p in hf.named_parameters() if "lora_" not in n)
    with pytest.raises(WiringError, match="role decoder"):
        model.train_roles(("decoder",))


def test_frozen_parts_stay_in_eval_mode(native: Native) -> None:
    model = _wired(native)
    model.train(("llm",))
    assert native.llm.module.training
    assert not native.encoder.module.training
    model.eval()
    assert not native.llm.module.training


class _Rows:
    """An encoder of two rows a picture; none where there is no picture."""

    modalities: frozenset[Modality] = frozenset({"image"})
    reads = modalities
    dim = 2
    module: nn.Module = nn.Identity()
    spec: Mapping[str, Any] = {}

    def transform(self, sample: Sample, modality: Modality) -> Inputs | None:
        return {"n": 2} if modality in sample.media else None

    def encode(self, batch: Batch) -> dict[Modality, Features]:
        lengths = tuple(int(one.get("n", 0)) for one in batch.inputs)
        return {"image": Features(torch.ones(sum(lengths), 2), lengths)}


def test_a_decoder_that_reads_rows_needs_no_llm() -> None:
    from vlmkit.types import Image

    model: Model[dict[str, int]] = Model(
        encoders=(_Rows(),),
        projector=Identity(frozenset({"image"}), 2),
        llm=None,
        decoder=_Counter(),
        prompt=None,
    )
    picture = Image(np.zeros((2, 2, 3), np.uint8))
    found = model.predict([Sample("seen", {"image": picture}), Sample("unseen"), Sample("two", {"image": picture})])
    assert [one.value for one in found] == [{"image": 2}, None, {"image": 2}]
    assert [one.used for one in found] == [("image",), (), ("image",)]
    assert [(p.code, p.message) for p in found[1].problems] == [
        ("nothing_given", "sample 'unseen' has nothing to answer about; wanted one of image, text")
    ]


def _either(sample: Sample) -> Prompt:
    slots = tuple(Slot(m) for m in sample.media)
    return Prompt((Message("user", (*slots, sample.text or "What?")),))


def test_an_optional_modality_that_cannot_be_read_leaves_the_rest(native: Native, tmp_path: Path) -> None:
    model = _wired(native, prompt=_either, requires=frozenset({"text"}))
    lost = Sample("lost", {"video": Clip(tmp_path / "none.mp4")}, text="What?")
    whole = Sample("whole", {"video": _film()}, text="What?")
    plain = Sample("plain", text="What?")
    found = model.predict([lost, whole, plain])
    assert [one.used for one in found] == [("text",), ("text", "video"), ("text",)]
    assert [(p.code, p.where, p.fatal) for p in found[0].problems] == [("media_missing", "video", False)]
    assert found[0].raw == found[2].raw != found[1].raw


def test_a_medium_of_the_wrong_kind_is_a_problem_of_its_sample(native: Native) -> None:
    odd: Any = {"video": "a path that was not made a Clip.mp4"}
    found = _wired(native).predict([Sample("odd", odd), Sample("good", {"video": _film()})])
    assert [p.code for p in found[0].problems] == ["media_not_media"]
    assert found[1].value is not None


@pytest.mark.parametrize("numbers", [{"start_s": "1"}, {"fps": "25"}, {"end_s": True}])
def test_clips_take_numbers_only(numbers: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="is a number or None"):
        Clip("x.mp4", **numbers)


@pytest.mark.parametrize(
    "numbers",
    [
        {"max_new_tokens": 0},
        {"max_new_tokens": 9, "temperature": -1.0},
        {"max_new_tokens": 9, "temperature": float("nan")},
        {"max_new_tokens": 9, "top_p": 0.0},
        {"max_new_tokens": 9, "top_p": 1.1},
        {"max_new_tokens": 9, "repetition_penalty": 0.0},
        {"max_new_tokens": 9, "repetition_penalty": float("inf")},
    ],
)
def test_limits_take_possible_numbers_only(numbers: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"wanted (max_new_tokens of 1 or more|top_p above 0)"):
        Limits(**numbers)
