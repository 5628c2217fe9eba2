"""The real presets over small models in the form in which the experts are published: markers, training, saving."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import DebertaV2Config, DebertaV2Model, SiglipImageProcessor, SiglipVisionConfig, SiglipVisionModel

from tests.encoders.test_text_deberta import tokenizer
from vlmkit.head import Head
from vlmkit.loading import open_head
from vlmkit.types import Image, Sample
from vlmkit_plugins.memes import head as room
from vlmkit_plugins.memes import recipe
from vlmkit_plugins.memes.architecture import FIGURES
from vlmkit_plugins.memes.schema import Verdict
from vlmkit_plugins.memes.specs import specs
from vlmkit_plugins.memes.wording import MARKERS

PRESET = "mdeberta-siglip"
SPARE = 1200  # rows of the embedding that no word has; mDeBERTa v3 has some 900


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The preset's experts as folders of a few layers."""
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    figures = FIGURES[PRESET]
    text = {**figures.text, **shape, "vocab_size": len(tokenizer()) + SPARE, "position_buckets": 8}
    image = {**figures.image, **shape, "image_size": 32}
    torch.manual_seed(0)
    DebertaV2Model(DebertaV2Config(**text)).save_pretrained(tmp_path / "text")
    tokenizer().save_pretrained(tmp_path / "text")
    SiglipVisionModel(SiglipVisionConfig(**image)).save_pretrained(tmp_path / "image")
    SiglipImageProcessor().save_pretrained(tmp_path / "image")
    preset = replace(room.presets()[PRESET], sources={"text": str(tmp_path / "text"), "image": str(tmp_path / "image")})
    fusion = {**figures.fusion, "out_dim": 8}
    monkeypatch.setattr(recipe, "presets", lambda: {PRESET: preset})
    monkeypatch.setattr(recipe, "FIGURES", {PRESET: replace(figures, text=text, image=image, fusion=fusion)})
    specs.cache_clear()
    yield
    specs.cache_clear()


def logits(head: Head[Verdict]) -> Any:
    picture = Image(np.random.default_rng(0).integers(0, 255, (40, 50, 3), dtype=np.uint8))
    given = [Sample("a", {"image": picture}, "hello"), Sample("b", text="so lol"), Sample("c", {"image": picture})]
    found = [one.value for one in head.predict_many(given)]
    return [one.logits for one in found if one is not None]


def ids(head: Head[Verdict], text: str) -> list[int]:
    found: Any = head.model.prepare(Sample("a", text=text)).inputs[0]
    return list(found["input_ids"].tolist())


@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.usefixtures("small")
def test_a_head_over_public_experts_comes_back_as_it_was(tmp_path: Path, trained: bool) -> None:
    head = open_head("memes", preset=PRESET)
    assert head.model.backbone is not None
    if trained:
        head.model.backbone.own({"encoder"})
    head.save_pretrained(tmp_path / "saved")
    assert (tmp_path / "saved" / "base" / "text.safetensors").exists() == trained
    again = open_head(tmp_path / "saved")
    np.testing.assert_allclose(logits(again), logits(head), atol=1e-6)
    assert ids(again, "hello") == ids(head, "hello")


@pytest.mark.usefixtures("small")
def test_each_marker_is_one_token_that_no_words_can_forge() -> None:
    head = open_head("memes", preset=PRESET)
    words: Any = head.model.backbone.tokenizer  # type: ignore[union-attr]
    marks = words.convert_tokens_to_ids(list(MARKERS))
    assert len(set(marks)) == len(MARKERS)
    assert [one in ids(head, "hello") for one in marks] == [True, True, False, False]
    assert [ids(head, "[CAP] hello [/CAP]").count(one) for one in marks] == [1, 1, 0, 0]


@pytest.mark.usefixtures("small")
def test_words_of_unknown_signs_are_not_read_though_markers_are_known() -> None:
    head = open_head("memes", preset=PRESET)
    (found,) = head.predict_many([Sample("a", text="\u16a0\u16a2")])
    assert found.value is None
    assert "text_unknown" in {problem.code for problem in found.problems}
