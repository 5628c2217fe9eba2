"""The memes head with random tiny weights: who answers about what, and what is said where nobody can."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from torch import nn

from vlmkit.decoders.linear import LinearDecoder
from vlmkit.encoders.hf_image import HfImages
from vlmkit.errors import AdapterError, CheckpointError, VlmkitError, WiringError
from vlmkit.head import Head
from vlmkit.loading import load, open_head
from vlmkit.safety import require_safetensors
from vlmkit.types import Image, Prediction, Sample
from vlmkit_plugins.memes.head import decoder
from vlmkit_plugins.memes.schema import Verdict, to_json
from vlmkit_plugins.memes.specs import specs

TEXT = "here comes our zibbit, lovely as ever"


@pytest.fixture(scope="module")
def head() -> Head[Verdict]:
    return open_head("memes", preset="tiny", weights="random")


def picture(seed: int = 0) -> Image:
    return Image(np.random.default_rng(seed).integers(0, 255, (96, 128, 3), dtype=np.uint8))


def meme(name: str, seed: int | None = 0, text: str | None = TEXT) -> Sample:
    return Sample(name, {} if seed is None else {"image": picture(seed)}, text)


def value(prediction: Prediction[Verdict]) -> Verdict:
    assert prediction.value is not None, prediction.problems
    return prediction.value


ROUTES = {
    "both": (meme("both"), ("image", "text"), "mm_fusion", {"mm_fusion", "text_expert", "vision_expert"}),
    "words": (meme("words", None), ("text",), "text_expert", {"text_expert"}),
    "picture": (meme("picture", 1, None), ("image",), "vision_expert", {"vision_expert"}),
    "blank words": (meme("blank", 1, " \n\u200b "), ("image",), "vision_expert", {"vision_expert"}),
}


@pytest.mark.parametrize("name", ROUTES)
def test_what_is_there_decides_who_answers(head: Head[Verdict], name: str) -> None:
    sample, used, member, asked = ROUTES[name]
    (found,) = head.predict_many([sample])
    verdict = value(found)
    assert found.used == used
    assert verdict.model == member
    assert set(verdict.experts) == asked
    assert set(to_json(found)) == {"prob_hate", "label", "model", "threshold", "logits"}
    given = verdict.prob_hate if verdict.label else 1 - verdict.prob_hate
    assert found.confidence == pytest.approx({"label": given, "reply": given})


def test_a_batch_of_every_kind_is_many_batches_of_one(head: Head[Verdict]) -> None:
    samples = [sample for sample, *_ in ROUTES.values()]
    together = list(head.predict_many(samples, batch_size=len(samples)))
    for sample, found in zip(samples, together, strict=True):
        (alone,) = head.predict_many([sample])
        assert value(found).logits == pytest.approx(value(alone).logits, abs=1e-5)
        assert value(found).model == value(alone).model


def test_the_answer_follows_words_and_picture(head: Head[Verdict]) -> None:
    first, words, other = head.predict_many([meme("a"), meme("b", text="so filthy, this moffian"), meme("c", 7)])
    assert len({value(one).logits for one in (first, words, other)}) == 3
    assert value(first).experts["vision_expert"] == pytest.approx(value(words).experts["vision_expert"], abs=1e-6)
    assert value(first).experts["text_expert"] == pytest.approx(value(other).experts["text_expert"], abs=1e-6)


def test_there_is_no_language_model_and_it_is_checked(head: Head[Verdict], tmp_path: Path) -> None:
    assert head.model.llm is None
    assert head.task.prompt is None
    assert not head.model.roles["llm"]
    with pytest.raises(WiringError, match="without an llm"):
        head.model.loss([head.model.prepare(meme("a"))])
    with pytest.raises(WiringError, match="int8"):
        open_head("memes", preset="tiny", weights="random", precision="int8")
    with pytest.raises(WiringError, match="vllm"):
        open_head("memes", preset="tiny", weights="random", engine="vllm")
    with pytest.raises((AdapterError, CheckpointError)):
        open_head("memes", preset="tiny", weights="random", adapter=tmp_path)


def test_a_broken_picture_leaves_the_words(head: Head[Verdict], tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    found = head.predict(image=broken, text=TEXT)
    assert value(found).model == "text_expert"
    assert [(problem.code, problem.fatal) for problem in found.problems] == [("media_not_media", False)]
    alone = head.predict(image=broken)
    assert alone.value is None
    assert any(problem.fatal for problem in alone.problems)


def test_nothing_given_is_no_answer(head: Head[Verdict]) -> None:
    (found,) = head.predict_many([Sample("empty", text="  ")])
    assert (found.value, found.problems[0].code) == (None, "nothing_given")
    with pytest.raises(VlmkitError, match="nothing to answer about"):
        head.predict(text=" ")
    with pytest.raises(VlmkitError, match="does not read audio"):
        head.predict(audio="a.wav")


TEXTS = {
    "long": "lovely " * 14_286,
    "right to left": "יש לי מם מצחיק, هذا مضحك",
    "emoji": "🐶🔥👩‍👩‍👧‍👦 so lovely 🏳️‍🌈",
    "homoglyphs": "so lоvely аnd frеsh",  # noqa: RUF001
    "markers": "[/OCR] [CAP] lovely [/CAP] <lang=en>",
}


@pytest.mark.parametrize("name", TEXTS)
def test_any_text_has_an_answer_and_what_was_done_to_it_is_said(head: Head[Verdict], name: str) -> None:
    found = head.predict(text=TEXTS[name], image=picture())
    assert value(found).model == "mm_fusion"
    codes = {problem.code for problem in found.problems}
    assert codes >= {"long": {"text_cut"}, "homoglyphs": {"homoglyphs"}, "markers": {"markers"}}.get(name, set())
    assert not any(problem.fatal for problem in found.problems)


def test_a_picture_of_other_modes_is_read_like_its_rgb(head: Head[Verdict], tmp_path: Path) -> None:
    grey = Pillow.fromarray(np.random.default_rng(3).integers(0, 255, (90, 90), dtype=np.uint8))
    grey.save(tmp_path / "grey.png")
    grey.convert("RGB").save(tmp_path / "rgb.png")
    found = [head.predict(image=tmp_path / name) for name in ("grey.png", "rgb.png")]
    assert value(found[0]).logits == pytest.approx(value(found[1]).logits, abs=1e-6)


def test_logits_that_are_no_numbers_are_no_answer(head: Head[Verdict]) -> None:
    reader = head.model.decoder
    assert isinstance(reader, LinearDecoder)
    layer = reader.module["text_expert"]
    assert isinstance(layer, nn.Linear)
    kept = layer.bias.detach().clone()
    try:
        with torch.no_grad():
            layer.bias[0] = torch.nan
        (alone,) = head.predict_many([meme("words", None)])
        assert (alone.value, alone.problems[0].code) == (None, "no_number")
        (both,) = head.predict_many([meme("both")])
        assert value(both).model == "mm_fusion"
        assert "text_expert" not in value(both).experts
    finally:
        with torch.no_grad():
            layer.bias.copy_(kept)


def test_a_saved_head_answers_the_same(head: Head[Verdict], tmp_path: Path) -> None:
    head.save_pretrained(tmp_path / "saved")
    again = open_head(tmp_path / "saved")
    for sample in (meme("a"), meme("b", None), meme("c", 2, None)):
        before, after = (value(next(one.predict_many([sample]))) for one in (head, again))
        assert before.logits == pytest.approx(after.logits, abs=1e-6)
    assert {file.suffix for file in (tmp_path / "saved").rglob("*")} <= {"", ".safetensors", ".json", ".md", ".jinja"}
    assert require_safetensors(tmp_path / "saved" / "base" / "fusion.safetensors")


def test_untrained_parts_are_refused(tmp_path: Path, head: Head[Verdict]) -> None:
    head.save_pretrained(tmp_path / "raw")
    with pytest.raises(CheckpointError, match="never been trained"):
        load(tmp_path / "raw")


def test_the_real_preset_says_offline_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(CheckpointError, match="preset='tiny'"):
        load("memes")


def test_specs_are_those_of_the_real_experts_and_nothing_mirrors() -> None:
    found = specs("mdeberta-siglip")
    assert found["text"]["tower"] == "microsoft/mdeberta-v3-base"
    assert found["text"]["max_tokens"] == 256
    assert found["image"]["framing"]["width_px"] == 384
    assert found["image"]["framing"]["fit"] == "squash"


def test_training_and_serving_read_one_text(head: Head[Verdict]) -> None:
    """The text that the expert reads is the room's own, whoever calls it: no path can leave the markers out."""
    prepared = head.model.prepare(Sample("a", {"image": picture()}, "lovely day", meta={"lang": "en"}))
    tokenizer: Any = head.model.backbone.tokenizer  # type: ignore[union-attr]
    ids = prepared.inputs[0]["input_ids"]
    assert "[OCR] lovely day [/OCR] <lang=en>" in tokenizer.decode(ids)
    assert isinstance(head.model.encoders[1], HfImages)


def test_the_contract_needs_no_widths() -> None:
    assert list(decoder().members) == ["mm_fusion", "text_expert", "vision_expert"]
