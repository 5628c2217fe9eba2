"""A Hugging Face text encoder: which row, how long a text, and what a folder of weights has to hold."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from transformers import BertConfig, BertForMaskedLM, BertModel, PreTrainedTokenizerFast

from vlmkit.encoders.text import HfText, open_text
from vlmkit.errors import CheckpointError, WiringError
from vlmkit.types import Batch, Features, Sample

WORDS = ("[PAD]", "[CLS]", "[SEP]", "[UNK]", "a", "cat", "purrs", "softly", "on", "the", "warm", "sofa")
CONFIG = BertConfig(
    vocab_size=len(WORDS),
    hidden_size=16,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=32,
    max_position_embeddings=12,
    initializer_range=0.5,  # at the usual .02 all rows are nearly equal
)


def words(prefix: bool = True) -> Any:
    model = Tokenizer(WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    model.pre_tokenizer = Whitespace()
    if prefix:
        model.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)])
    names = {"pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]", "unk_token": "[UNK]"}
    return PreTrainedTokenizerFast(tokenizer_object=model, **names)


def tower() -> Any:
    torch.manual_seed(0)
    return BertModel(CONFIG).eval()


def rows(reader: HfText, *texts: str | None) -> Features:
    samples = tuple(Sample(str(i), text=text) for i, text in enumerate(texts))
    made = tuple(reader.transform(one, "text") or {} for one in samples)
    with torch.inference_mode():
        return reader.encode(Batch(samples, made))["text"]


def test_the_row_is_the_state_of_the_first_token() -> None:
    hf, tokenizer = tower(), words()
    reader = HfText(hf, tokenizer, max_tokens=8)
    found = rows(reader, "a cat purrs")
    with torch.inference_mode():
        wanted = hf(**tokenizer("a cat purrs", return_tensors="pt")).last_hidden_state[:, 0]
    assert reader.dim == 16 and found.lengths == (1,)
    torch.testing.assert_close(found.values, wanted)


def test_the_mean_leaves_padding_out() -> None:
    hf, tokenizer = tower(), words(prefix=False)
    with pytest.raises(WiringError, match="set row='mean'"):
        HfText(hf, tokenizer, max_tokens=8)
    found = rows(HfText(hf, tokenizer, max_tokens=8, row="mean"), "a cat purrs", "on the warm sofa softly")
    with torch.inference_mode():
        wanted = hf(**tokenizer("a cat purrs", return_tensors="pt")).last_hidden_state.mean(1)
    torch.testing.assert_close(found.values[:1], wanted, rtol=0, atol=1e-5)


def test_a_batch_is_many_batches_of_one_and_no_text_has_no_row() -> None:
    reader = HfText(tower(), words(), max_tokens=8)
    texts = ("a cat", None, "on the warm sofa", "", " \n", "softly")
    together = rows(reader, *texts)
    assert together.lengths == (1, 0, 1, 0, 0, 1)
    alone = torch.cat([rows(reader, text).values for text in texts])
    assert together.values.std(0).max() > 0.1
    torch.testing.assert_close(together.values, alone, rtol=0, atol=1e-5)
    assert rows(reader, None).values.shape == (0, 16)


def test_a_long_text_is_cut_and_says_so() -> None:
    reader = HfText(tower(), words(), max_tokens=5)
    whole = reader.transform(Sample("a", text="a cat purrs"), "text")
    assert whole is not None and "notes" not in whole and len(whole["input_ids"]) == 5
    cut = reader.transform(Sample("a", text="a cat purrs softly on the sofa"), "text")
    assert cut is not None and torch.equal(cut["input_ids"], whole["input_ids"])  # the last special token is kept
    (note,) = cut["notes"]
    assert (note.code, note.where, note.fatal) == ("text_cut", "text", False)
    assert "9 tokens" in note.message and "reads 5" in note.message


@pytest.mark.parametrize("template", ["[CLS] $A [SEP]", "[CLS] $A", "$A [SEP]", "[CLS] [SEP] $A [SEP] [CLS]", "$A"])
@pytest.mark.parametrize("side", ["right", "left"])
def test_a_text_is_cut_as_the_tokenizer_would(template: str, side: str) -> None:
    tokenizer, reference = words(prefix=False), words(prefix=False)
    for one in (tokenizer, reference):
        one.backend_tokenizer.post_processor = TemplateProcessing(
            single=template, special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
        )
        one.truncation_side = side
    reader = HfText(tower(), tokenizer, max_tokens=6, row="mean")
    for text in ("a cat purrs softly on the warm sofa", "[CLS] cat [SEP] a [CLS] [CLS] the warm [SEP]", "a " * 9):
        made = reader.transform(Sample("one", text=text), "text") or {}
        assert made["input_ids"].tolist() == reference(text, truncation=True, max_length=6)["input_ids"]
        assert ("beginning" if side == "left" else "end") in made["notes"][0].message


def test_texts_of_any_length_are_read_in_many_threads() -> None:
    """Truncation is a setting of the tokenizer, and would reach from one thread into another."""
    tokenizer, reference = words(), words()
    reader = HfText(tower(), tokenizer, max_tokens=6)
    samples = [Sample(str(i), text=" ".join(WORDS[4 + (i + k) % 8] for k in range(1 + i * 7 % 40))) for i in range(400)]

    def read(sample: Sample) -> tuple[list[int], int, Any]:
        made = reader.transform(sample, "text") or {}
        return made["input_ids"].tolist(), len(made.get("notes", ())), tokenizer.backend_tokenizer.truncation

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(read, samples))
    for sample, (ids, n_notes, setting) in zip(samples, found, strict=True):
        assert ids == reference(sample.text, truncation=True, max_length=6)["input_ids"]
        assert n_notes == (len(reference(sample.text)["input_ids"]) > 6)
        assert setting is None


def test_parts_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(WiringError, match="max_tokens=13 does not fit"):
        HfText(tower(), words(), max_tokens=13)
    with pytest.raises(WiringError, match="max_tokens=2 does not fit"):
        HfText(tower(), words(), max_tokens=2)
    larger = words()
    larger.add_tokens(["dog"])
    with pytest.raises(WiringError, match="13 words and the text model 12"):
        HfText(tower(), larger, max_tokens=8)


def folder(path: Path, hf: Any) -> Path:
    hf.save_pretrained(path)
    words().save_pretrained(path)
    return path


def edited(path: Path, **change: torch.Tensor | None) -> None:
    file = path / "model.safetensors"
    state = {**load_file(file), **change}
    save_file({name: value for name, value in state.items() if value is not None}, file, metadata={"format": "pt"})


def test_a_folder_of_a_pretrained_model_loses_its_heads(tmp_path: Path) -> None:
    torch.manual_seed(1)
    masked = BertForMaskedLM(CONFIG).eval()  # has no pooler, and a head that is not read
    reader = open_text(folder(tmp_path, masked), max_tokens=8)
    assert not reader.module.training
    assert not any("pooler" in name for name in reader.module.state_dict())
    assert json.loads(json.dumps(reader.spec)) == {"text": {"tower": str(tmp_path), "max_tokens": 8, "row": "first"}}
    with torch.inference_mode():
        wanted = masked.bert(**words()("a cat", return_tensors="pt")).last_hidden_state[:, 0]
    torch.testing.assert_close(rows(reader, "a cat").values, wanted)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"encoder.layer.1.output.dense.bias": None}, "1 weights are missing, the first is encoder.layer.1.output"),
        ({"encoder.layer.7.output.dense.bias": torch.zeros(16)}, "1 weights are unexpected"),
        ({"encoder.layer.1.output.dense.bias": torch.zeros(5)}, "1 weights are mismatched"),
    ],
)
def test_weights_that_are_not_all_there_are_refused(
    tmp_path: Path, change: dict[str, torch.Tensor | None], message: str
) -> None:
    path = folder(tmp_path, tower())
    edited(path, **change)
    with pytest.raises(CheckpointError, match=message):
        open_text(path, max_tokens=8)


def test_pickles_and_missing_models_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(CheckpointError, match="vlmkit convert FILE"):
        open_text(tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(CheckpointError, match=r"cannot load 'nobody/nothing'.*preset='tiny'"):
        open_text("nobody/nothing")
