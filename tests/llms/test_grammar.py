from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from pydantic import BaseModel
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LogitsProcessorList, PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from tests.decoders.shapes import MODELS, SAMPLE, Hint, Match, Note, Span, documents, fixed
from vlmkit.decoders.json import JsonDecoder
from vlmkit.decoders.schema import bounded, shape_of
from vlmkit.errors import WiringError
from vlmkit.llms import grammar
from vlmkit.llms.grammar import GrammarProcessor, Grammars, grammars_of, unpack_here, unpack_there
from vlmkit.llms.spelling import Speller
from vlmkit.types import Constraint, Generation

EOS, PAD = 0, 1
PADDED_ROWS = 23  # embedding rows beyond the tokenizer, as Qwen's have


def train_tokenizer(extra: Sequence[str] = ()) -> Any:
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<eos>", "<pad>", "<image>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(['{"operation":"Pack","words":"图片 é 😀"}', '{"kind":"goal","frame":12}'] * 3, trainer)
    bpe.add_tokens(list(extra))
    return PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token="<eos>", pad_token="<pad>", padding_side="left")


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return train_tokenizer()


@pytest.fixture(scope="module")
def model(tokenizer: Any) -> Any:
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=len(tokenizer) + PADDED_ROWS,
        hidden_size=64,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        initializer_range=0.16,
        eos_token_id=EOS,
        pad_token_id=PAD,
    )
    return Qwen2ForCausalLM(config).eval()


def generate(
    model: Any,
    tokenizer: Any,
    constraints: Sequence[Constraint | None],
    budget: int,
    seed: int | None = None,
    **options: Any,
) -> Any:
    """Rows of mixed length, padded on the left; sampled at temperature 1 with a seed, greedy without."""
    prompts = [("op", "which operation is it?")[row % 2] for row in range(len(constraints))]
    inputs = tokenizer(prompts, return_tensors="pt", padding=True, return_token_type_ids=False)
    torch.manual_seed(seed or 0)
    drawn = (
        {"do_sample": True, "temperature": 1.0, "top_k": 0, "top_p": 1.0} if seed is not None else {"do_sample": False}
    )
    processor = GrammarProcessor(constraints, tokenizer, [EOS])
    out = model.generate(
        **inputs,
        logits_processor=LogitsProcessorList([processor]),
        max_new_tokens=budget,
        return_dict_in_generate=True,
        **drawn,
        **options,
    )
    out.new = out.sequences[:, inputs["input_ids"].shape[1] :]
    return out


def spoken(tokenizer: Any, ids: list[int]) -> Generation:
    ended = EOS in ids
    kept = ids[: ids.index(EOS)] if ended else ids
    text, spans = Speller(tokenizer).spell(kept)
    return Generation(text, "end" if ended else "length", n_prompt=1, n_new=len(kept), spans=spans)


@pytest.mark.parametrize("result", [Span, Match])
def test_2000_replies_of_a_random_model_are_valid_at_every_budget_from_the_minimum(
    model: Any, tokenizer: Any, result: type[BaseModel]
) -> None:
    """A reply at a smaller budget is the beginning of the same reply (tested below), so each is also cut at many."""
    decoder = JsonDecoder(result)
    bounds, texts, cut_at, lengths = decoder.bounds, set[str](), set[int](), list[int]()
    for seed, more in enumerate((bounds.longest, 0, 15, 30, 45)):
        most = min(bounds.longest, bounds.minimum + more)
        out = generate(model, tokenizer, [bounds] * 400, most, seed=seed)
        for row, ids in enumerate(out.new.tolist()):
            n_new = spoken(tokenizer, ids).n_new
            assert n_new < most or most < bounds.longest  # `longest` never cuts
            # every budget for replies that nothing cut, every 20th for the others
            budgets = range(bounds.minimum + (row % 20 if seed else 0), n_new, 20 if seed else 1)
            cut_at.update(budgets)
            for generation in [spoken(tokenizer, ids), *(spoken(tokenizer, ids[:budget]) for budget in budgets)]:
                prediction = decoder.decode(generation, SAMPLE)
                assert isinstance(prediction.value, result), (generation, prediction.problems)
                assert {problem.code for problem in prediction.problems} <= {"truncated"}
                assert not prediction.problems or generation.stop == "length"
            texts.add(tokenizer.decode(ids))
            lengths.append(n_new)
    assert len(texts) > 500  # many replies, not one reply 2,000 times
    if result is Match:
        assert max(lengths) > bounds.minimum + 60
        assert cut_at >= set(range(bounds.minimum, max(lengths)))
    else:
        assert bounds.minimum == bounds.longest


@pytest.mark.parametrize("budget", [26, 40, 65])
def test_a_smaller_budget_gives_the_beginning_of_the_same_reply(model: Any, tokenizer: Any, budget: int) -> None:
    bounds = bounded(Match)
    short, long = (generate(model, tokenizer, [bounds] * 20, n, seed=3).new for n in (budget, bounds.longest))
    assert torch.equal(short, long[:, :budget])
    for ids in short.tolist():
        assert JsonDecoder(Match).decode(spoken(tokenizer, ids), SAMPLE).value is not None


@pytest.mark.parametrize("result", MODELS)
def test_the_grammar_takes_every_training_target_and_nothing_longer(tokenizer: Any, result: type[BaseModel]) -> None:
    grammars, bounds = grammars_of(tokenizer, [EOS]), bounded(result)

    @fixed
    @given(documents(shape_of(result)))
    def check(data: Any) -> None:
        text = JsonDecoder(result).encode(result.model_validate(data))
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        matcher = grammars.matcher(bounds)
        assert matcher.try_consume_tokens(ids) == len(ids), text
        assert matcher.is_accepting()
        assert matcher.is_stopped()

    check()


@pytest.mark.parametrize(
    "text",
    [
        '{"code":1, "words":null}',
        ' {"code":1,"words":null}',
        '{"words":null,"code":1}',
        '{"code":1,"words":"abcdef"}',
        '{"code":1,"words":"\\u0041"}',
        '{"code":1,"words":"\\ud83d"}',
        '{"code":1,"words":"\\/"}',
        '{"code":1,"words":"\x01"}',
        '{"code":1,"words":"\x7f"}',
        '{"code":1.0,"words":null}',
        '{"code":1,"words":null}{',
    ],
)
def test_the_grammar_refuses_what_the_sizes_do_not_count(tokenizer: Any, text: str) -> None:
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert grammars_of(tokenizer, [EOS]).matcher(bounded(Hint)).try_consume_tokens(ids) < len(ids)


def test_rows_keep_their_own_grammar_and_free_rows_stay_free(model: Any, tokenizer: Any) -> None:
    span, note = bounded(Span), bounded(Note)
    mixed = generate(model, tokenizer, [span, None, note, None], 60).new
    alone = generate(model, tokenizer, [None, None, None, None], 60).new
    assert [tuple(row) for row in mixed[1::2].tolist()] == [tuple(row) for row in alone[1::2].tolist()]
    first, _, third, _ = (spoken(tokenizer, ids) for ids in mixed.tolist())
    assert first.text.startswith('{"operation":')
    assert third.text.startswith('{"sure":')


def test_a_batch_equals_its_rows_alone(model: Any, tokenizer: Any) -> None:
    bounds = bounded(Match)
    batch, alone = (generate(model, tokenizer, [bounds] * rows, 90).new[0].tolist() for rows in (2, 1))
    assert spoken(tokenizer, batch) == spoken(tokenizer, alone)


def test_masked_scores_are_minus_infinity_and_padded_rows_are_masked(model: Any, tokenizer: Any) -> None:
    out = generate(model, tokenizer, [bounded(Span)] * 3, 80, seed=1, output_scores=True)
    scores = torch.stack(out.scores, dim=1)  # [b, s, v]
    n_tokens = len(tokenizer)
    assert scores.shape[-1] == n_tokens + PADDED_ROWS
    assert torch.isneginf(scores[..., n_tokens:]).all()
    logprobs = scores.log_softmax(-1).gather(-1, out.new.unsqueeze(-1)).squeeze(-1)
    for row, ids in enumerate(out.new.tolist()):
        n_new = ids.index(EOS)
        assert torch.isfinite(logprobs[row, : n_new + 1]).all()
        assert logprobs[row, n_new] == 0  # after the last brace nothing but the end is left
        assert torch.isfinite(scores[row, n_new + 1 :]).sum(-1).eq(1).all()  # an ended row allows its end only
    opening = tokenizer.convert_ids_to_tokens(torch.isfinite(scores[0, 0]).nonzero().flatten().tolist())
    assert all(token.startswith("{") for token in opening)


def test_special_tokens_are_never_written(tokenizer: Any) -> None:
    image = tokenizer.convert_tokens_to_ids("<image>")
    ids = tokenizer('{"code":1,"words":"', add_special_tokens=False)["input_ids"]
    processor = GrammarProcessor([bounded(Hint)], tokenizer, [EOS])
    for n in range(len(ids) + 1):
        scores = processor(torch.tensor([ids[:n]]).long(), torch.zeros(1, len(tokenizer)))
    assert torch.isneginf(scores[0, [EOS, PAD, image]]).all()
    assert torch.isfinite(scores).sum() > 100


def test_every_end_is_allowed(tokenizer: Any) -> None:
    ids = tokenizer('{"code":1,"words":null}', add_special_tokens=False)["input_ids"]
    processor = GrammarProcessor([bounded(Hint)], tokenizer, [EOS, PAD])
    for n in range(len(ids) + 1):
        scores = processor(torch.tensor([ids[:n]]).long(), torch.zeros(1, len(tokenizer)))
    assert torch.isfinite(scores[0]).nonzero().flatten().tolist() == [EOS, PAD]
    after = processor(torch.tensor([[*ids, PAD]]), torch.zeros(1, len(tokenizer)))
    assert torch.isfinite(after[0]).nonzero().flatten().tolist() == [EOS, PAD]


def test_scores_are_changed_in_place(tokenizer: Any) -> None:
    scores = torch.zeros(1, len(tokenizer), dtype=torch.bfloat16)
    processor = GrammarProcessor([bounded(Hint)], tokenizer, [EOS])
    assert processor(torch.zeros(1, 0, dtype=torch.long), scores) is scores


@pytest.mark.parametrize("n", [33, 64, 90])
def test_both_ways_of_unpacking_agree(n: int) -> None:
    mask = np.random.default_rng(0).integers(-(2**31), 2**31, size=(3, 2), dtype=np.int64).astype(np.int32)
    here, there = unpack_here(mask, n), unpack_there(mask, n, torch.device("cpu"))
    assert torch.equal(here, there)
    assert not here[:, 64:].any()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_masks_on_a_gpu(tokenizer: Any) -> None:
    empty = torch.zeros(2, 0, dtype=torch.long)
    scores = [
        GrammarProcessor([bounded(Hint), None], tokenizer, [EOS])(
            empty.to(device), torch.zeros(2, 999, device=device)
        ).cpu()
        for device in ("cpu", "cuda")
    ]
    assert torch.equal(*scores)


def test_misuse_is_said_in_a_sentence(tokenizer: Any) -> None:
    bounds, scores = bounded(Hint), torch.zeros(2, len(tokenizer))
    with pytest.raises(WiringError, match="1 constraints for 2 rows"):
        GrammarProcessor([bounds], tokenizer, [EOS])(torch.ones(2, 3, dtype=torch.long), scores)
    processor = GrammarProcessor([bounds, bounds], tokenizer, [EOS])
    processor(torch.tensor([[5], [6]]), scores)
    with pytest.raises(WiringError, match="reordered"):
        processor(torch.tensor([[6, 9], [5, 9]]), scores)
    processor = GrammarProcessor([bounds], tokenizer, [EOS])
    processor(torch.tensor([[5]]), scores[:1])
    with pytest.raises(WiringError, match="leaves the grammar"):
        processor(torch.tensor([[5, 9]]), scores[:1])
    with pytest.raises(WiringError, match="fast tokenizer"):
        GrammarProcessor([bounds], object(), [EOS])
    with pytest.raises(WiringError, match="at least one"):
        GrammarProcessor([bounds], tokenizer, [])
    with pytest.raises(WiringError, match="refuses this schema"):
        GrammarProcessor([Constraint('{"type":"nonsense"}', 1, 1)], tokenizer, [EOS])
    with pytest.raises(WiringError, match="cannot drive a grammar"):
        GrammarProcessor([bounds], tokenizer, [10**6])


def test_a_panic_of_llguidance_is_an_error_and_not_the_end(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(WiringError, match="cannot drive a grammar"):
        Grammars(train_tokenizer(extra=["x" * 1100]), [EOS])
    capfd.readouterr()  # Rust writes its own lines


def test_compiled_grammars_are_shared_and_bounded(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert grammars_of(tokenizer, [EOS]) is grammars_of(tokenizer, [EOS])
    assert grammars_of(tokenizer, [EOS]) is not grammars_of(tokenizer, [EOS, PAD])
    monkeypatch.setattr(grammar, "CACHED_GRAMMARS", 2)
    grammars = Grammars(tokenizer, [EOS])
    compiled: list[str] = []
    compile_ = grammars._compile

    def counted(schema: str) -> Any:
        compiled.append(schema)
        return compile_(schema)

    monkeypatch.setattr(grammars, "_compile", counted)
    schemas = [bounded(result).schema for result in (Span, Note, Span, Hint, Span, Note)]
    for schema in schemas:
        grammars.matcher(Constraint(schema, 1, 1))
        assert len(grammars) <= 2
    assert compiled == [schemas[0], schemas[1], schemas[3], schemas[5]]  # Span was used last each time, and stayed
