"""Text behind a film begins after the film's last position, as in Qwen2.5-VL's own code."""

from __future__ import annotations

import copy

import torch

from tests.tiny_models import tiny_qwen2_5_vl, tiny_qwen3_vl
from vlmkit.llms.positions import follow_films


def _asked(processor: object, kinds: list[int], left: int = 0) -> dict[str, torch.Tensor]:
    row = torch.tensor([[0] * left + kinds])
    return {
        "input_ids": torch.zeros_like(row),
        "mm_token_type_ids": row,
        "attention_mask": torch.tensor([[0] * left + [1] * len(kinds)]),
    }


def test_a_film_longer_than_it_is_wide() -> None:
    """Six steps of half a second at two positions a second, 2 x 2 cells each: the film ends at its sixth position."""
    hf, processor = tiny_qwen2_5_vl()
    given = _asked(processor, [0, 0, *[2] * 24, 0, 0, 0], left=3)
    media = {"video_grid_thw": torch.tensor([[6, 4, 4]]), "second_per_grid_ts": torch.tensor([0.5])}
    before, _ = copy.copy(hf.model).get_rope_index(**given, **media)
    follow_films(hf.model)
    found, deltas = hf.model.get_rope_index(**given, **media)
    assert found[:, 0, -3:].tolist() == [[8, 9, 10]] * 3  # 2 words, then 6 positions of the film
    assert before[:, 0, -3:].tolist() == [[4, 5, 6]] * 3  # what transformers gives
    torch.testing.assert_close(found[:, 0, :-3], before[:, 0, :-3])
    assert deltas.tolist() == [[11 - 29]]


def test_a_picture_before_a_film_and_a_film_that_is_wider_than_long() -> None:
    hf, processor = tiny_qwen2_5_vl()
    given = _asked(processor, [0, *[1] * 6, 0, *[2] * 12, 0])
    media = {
        "image_grid_thw": torch.tensor([[1, 4, 6]]),
        "video_grid_thw": torch.tensor([[2, 4, 6]]),
        "second_per_grid_ts": torch.tensor([0.5]),
    }
    before, _ = copy.copy(hf.model).get_rope_index(**given, **media)
    follow_films(hf.model)
    found, _ = hf.model.get_rope_index(**given, **media)
    torch.testing.assert_close(found, before)


def test_steps_of_qwen3_vl_are_films_of_one_step_and_stay() -> None:
    hf, processor = tiny_qwen3_vl()
    given = _asked(processor, [0, *[2] * 4, 0, *[2] * 4, 0])
    media = {"video_grid_thw": torch.tensor([[2, 4, 4]])}
    before, _ = copy.copy(hf.model).get_rope_index(**given, **media)
    follow_films(hf.model)
    found, _ = hf.model.get_rope_index(**given, **media)
    torch.testing.assert_close(found, before)
