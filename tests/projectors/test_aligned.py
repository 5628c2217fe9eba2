"""Rows into the shared space and on to tokens: presence is a length, never a value."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vlmkit.errors import WiringError
from vlmkit.projectors.aligned import Aligned
from vlmkit.types import Features, Modality

DIMS: dict[Modality, int] = {"image": 6, "video": 6, "audio": 5, "text": 4}


def _aligned() -> Aligned:
    torch.manual_seed(0)
    made = Aligned(DIMS, 8, dim=7, hidden=16, n_tokens=3)
    made.module.eval()
    return made


def _features(modality: Modality, lengths: tuple[int, ...], *, timed: bool = False) -> Features:
    n = sum(lengths)
    return Features(torch.randn(n, DIMS[modality]), lengths, times_s=torch.arange(float(n)) if timed else None)


def test_shapes_lengths_and_times() -> None:
    made = _aligned()
    found = made.project(
        {
            "image": _features("image", (1, 0)),
            "video": _features("video", (2, 3), timed=True),
            "text": _features("text", (1, 1)),
        }
    )
    assert set(found) == {"image", "video"}  # text goes into the prompt as it is
    assert (found["image"].values.shape, found["image"].lengths) == ((3, 8), (3, 0))
    assert (found["video"].values.shape, found["video"].lengths) == ((15, 8), (6, 9))
    assert found["video"].times_s is not None
    assert found["video"].times_s[:4].tolist() == [0.0, 0.0, 0.0, 1.0]


def test_aligned_rows_have_length_one_and_pictures_share_their_head_with_frames() -> None:
    made = _aligned()
    rows = _features("image", (1, 2))
    found = made.align({"image": rows, "video": rows, "audio": _features("audio", (1, 0))})
    assert torch.equal(found["image"].values, found["video"].values)
    for one in found.values():
        assert torch.allclose(one.values.norm(dim=-1), torch.ones(len(one.values)), atol=1e-6)


def test_kind_and_time_change_tokens() -> None:
    made = _aligned()
    values = torch.randn(2, 6)
    still = made.project({"image": Features(values, (2,))})["image"].values
    film = made.project({"video": Features(values, (2,))})["video"].values
    early = made.project({"video": Features(values, (2,), times_s=torch.tensor([0.0, 1.0]))})["video"].values
    late = made.project({"video": Features(values, (2,), times_s=torch.tensor([5.0, 6.0]))})["video"].values
    assert not torch.allclose(still, film)
    assert not torch.allclose(early, late)


def test_pooled_is_one_vector_a_sample_that_has_the_modality() -> None:
    made = _aligned()
    found = made.pooled({"video": _features("video", (2, 0, 3)), "text": _features("text", (0, 0, 0))})
    values, owners = found["video"]
    assert owners == [0, 2]
    assert torch.allclose(values.norm(dim=-1), torch.ones(2), atol=1e-6)
    assert (found["text"][0].shape, found["text"][1]) == ((0, 7), [])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=5), st.integers(0, 99))
def test_a_modality_gives_tokens_exactly_where_it_is_present(present: list[bool], seed: int) -> None:
    torch.manual_seed(seed)
    made = _aligned()
    lengths = tuple(int(one) for one in present)
    rows = _features("image", lengths)
    found = made.project({"image": rows, "audio": _features("audio", (1,) * len(present))})
    assert found["image"].lengths == tuple(3 * n for n in lengths)
    # what is there does not depend on which neighbours lack it
    for at in range(sum(lengths)):
        alone = made.project({"image": Features(rows.values[at : at + 1], (1,))})["image"].values
        assert torch.allclose(found["image"].values[3 * at : 3 * at + 3], alone, atol=1e-5)


def test_pictures_and_frames_share_one_width() -> None:
    with pytest.raises(WiringError, match="image rows have width 6, video rows 7"):
        Aligned({"image": 6, "video": 7}, 8)
