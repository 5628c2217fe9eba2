"""The text expert of memes: DeBERTa v3, any script, and texts that are far too long or say nothing."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import DebertaV2Config, DebertaV2Model, DebertaV2Tokenizer

from vlmkit.encoders.text import HfText, open_text
from vlmkit.errors import CheckpointError
from vlmkit.types import Batch, Features, Sample

SPECIAL = ("[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]")
HEBREW, ARABIC = (tuple(map(chr, range(*ends))) for ends in ((0x5D0, 0x5EB), (0x627, 0x64B)))
SIGNS = (*"▁abcdefghijklmnopqrstuvwxyzñ日本🔥😂👍", *HEBREW, *ARABIC)
TEXTS = ("hello world", "שמש גדלה", "سمك كبير", "\u202bשמש\u202c hello", "🔥😂 lol 👍🏽", "日本 mañana", "a")


def tokenizer() -> Any:
    vocabulary = [(word, 0.0) for word in SPECIAL] + [(sign, -3.0 - i / 9) for i, sign in enumerate(SIGNS)]
    return DebertaV2Tokenizer(vocab=vocabulary)


def tower() -> Any:
    torch.manual_seed(0)
    return DebertaV2Model(
        DebertaV2Config(
            vocab_size=len(tokenizer()),
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=64,
            initializer_range=0.5,
            relative_attention=True,
            position_buckets=8,
            share_att_key=True,
            norm_rel_ebd="layer_norm",
            pos_att_type="p2c|c2p",
            position_biased_input=False,
            type_vocab_size=0,
        )
    ).eval()


def reader(max_tokens: int = 24) -> HfText:
    return HfText(tower(), tokenizer(), max_tokens=max_tokens)


def rows(one: HfText, *texts: str | None) -> Features:
    samples = tuple(Sample(str(i), text=text) for i, text in enumerate(texts))
    made = tuple(one.transform(sample, "text") or {} for sample in samples)
    with torch.inference_mode():
        return one.encode(Batch(samples, made))["text"]


@pytest.mark.parametrize("text", TEXTS)
def test_texts_of_any_script_give_the_row_of_the_first_token(text: str) -> None:
    hf, words = tower(), tokenizer()
    found = rows(HfText(hf, words, max_tokens=24), text)
    with torch.inference_mode():
        asked = words(text, return_tensors="pt")
        wanted = hf(asked["input_ids"], asked["attention_mask"]).last_hidden_state[:, 0]
    assert found.values.dtype == torch.float32 and found.values.shape == (1, 16)
    torch.testing.assert_close(found.values, wanted, rtol=0, atol=1e-5)


def test_a_batch_is_many_batches_of_one() -> None:
    one = reader()
    together = rows(one, *TEXTS, None)
    alone = torch.cat([rows(one, text).values for text in TEXTS])
    assert together.lengths == (*(1,) * len(TEXTS), 0)
    torch.testing.assert_close(together.values, alone, rtol=0, atol=1e-5)
    assert together.values.std(0).max() > 0.1


@pytest.mark.parametrize("text", ["hello world " * 8334, "🔥" * 100_000, "ש" * 100_000, "a end " + "\u0301" * 99_994])
def test_a_hundred_thousand_characters_are_cut_at_once(text: str) -> None:
    one = reader()
    start = time.process_time()
    made = one.transform(Sample("long", text=text[:100_000]), "text") or {}
    assert time.process_time() - start < 1.0
    assert len(made["input_ids"]) <= 24
    assert [note.code for note in made.get("notes", ())] == (["text_cut"] if len(made["input_ids"]) == 24 else [])


def test_a_cut_text_is_read_as_the_tokenizer_would_cut_it() -> None:
    one, text = reader(), "hello [CLS] world שמש " * 50
    made = one.transform(Sample("long", text=text), "text") or {}
    wanted = tokenizer()(text, truncation=True, max_length=24)["input_ids"]
    assert made["input_ids"].tolist() == wanted
    (note,) = made["notes"]
    assert (note.code, note.where, note.fatal) == ("text_cut", "text", False)
    assert f"{len(tokenizer()(text)['input_ids'])} tokens" in note.message


@pytest.mark.parametrize("text", ["★★★", "ⵣ ⵣ", "★" * 100_000])
def test_a_text_of_unknown_signs_only_is_not_read(text: str) -> None:
    """What would be read is the token for anything, and the answer would be made up."""
    made = reader().transform(Sample("odd", text=text), "text") or {}
    assert "input_ids" not in made
    assert made["notes"][-1].code == "text_unknown" and made["notes"][-1].where == "text"
    assert rows(reader(), text).lengths == (0,)
    known = reader().transform(Sample("odd", text=f"{text} a"[-40:]), "text") or {}
    assert "input_ids" in known and "notes" not in known


def published(path: Path, **change: torch.Tensor | None) -> Path:
    """A folder as DeBERTa v3 is published: under a prefix, with the heads of its pretraining and what they needed."""
    hf = tower()
    hf.save_pretrained(path)
    tokenizer().save_pretrained(path)
    state = {f"deberta.{name}": value for name, value in load_file(path / "model.safetensors").items()}
    words = state["deberta.embeddings.word_embeddings.weight"]
    beside: dict[str, torch.Tensor | None] = {
        "lm_predictions.lm_head.dense.weight": torch.zeros(16, 16),
        "mask_predictions.classifier.bias": torch.zeros(1),
        "deberta.embeddings.word_embeddings._weight": torch.zeros_like(words),
        "deberta.embeddings.position_embeddings.weight": torch.zeros(64, 16),
    }
    every = {**state, **beside, **change}
    kept = {name: value for name, value in every.items() if value is not None}
    save_file(kept, path / "model.safetensors", metadata={"format": "pt"})
    return path


def test_a_published_folder_opens_and_its_heads_are_left(tmp_path: Path) -> None:
    one = open_text(published(tmp_path), max_tokens=24)
    assert one.dim == 16 and next(one.module.parameters()).dtype == torch.float32
    torch.testing.assert_close(rows(one, *TEXTS).values, rows(reader(), *TEXTS).values)


def test_words_that_are_only_there_as_a_difference_are_refused(tmp_path: Path) -> None:
    """Files whose embeddings are stored under the discriminator's name alone would be filled with random numbers."""
    path = published(tmp_path, **{"deberta.embeddings.word_embeddings.weight": None})
    with pytest.raises(CheckpointError, match=r"1 weights are missing, the first is embeddings.word_embeddings.weight"):
        open_text(path, max_tokens=24)
