"""Opened media as vLLM takes them, and the rows that they will become, counted before it is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from vlmkit.media.clock import TICKS, metadata, ticks
from vlmkit.media.image import Picture
from vlmkit.media.spec import VideoSpec
from vlmkit.media.video import Frames
from vlmkit.types import Inputs, Lane, Tokens


class Counter:
    """Grids and rows of pictures and films, as the processor of a Qwen vision-language model cuts them."""

    def __init__(self, processor: Any) -> None:
        self.patch_px: int = processor.image_processor.patch_size
        self.merge: int = processor.image_processor.merge_size
        self.steps: int = processor.video_processor.temporal_patch_size

    @property
    def cell_px(self) -> int:
        """Side of the square that becomes one row."""
        return self.patch_px * self.merge

    def rows(self, opened: Sequence[Inputs]) -> dict[Lane, Tokens]:
        """What stands in the slots of each prompt: grids, lengths and times, and no values."""
        pictures: list[Picture | None] = [one.get("image") for one in opened]
        films: list[Frames | None] = [one.get("video") for one in opened]
        grids = [None if film is None else self._grid(len(film.images), film.images.shape[1:]) for film in films]
        times = [self._times(film, grid) for film, grid in zip(films, grids, strict=True) if film and grid]
        return {
            "image": self._rows([None if one is None else self._grid(1, one.image.shape) for one in pictures]),
            "video": self._rows(grids, torch.cat(times) if times else None),
        }

    def _grid(self, frames: int, shape: Sequence[int]) -> tuple[int, int, int]:
        return -(-frames // self.steps), shape[0] // self.patch_px, shape[1] // self.patch_px

    def _rows(self, grids: Sequence[tuple[int, int, int] | None], times: torch.Tensor | None = None) -> Tokens:
        lengths = tuple(0 if grid is None else self._length(grid) for grid in grids)
        present = [grid for grid in grids if grid is not None]
        return Tokens(torch.empty(0), lengths, times_s=times, grid=torch.tensor(present) if present else None)

    def _length(self, grid: tuple[int, int, int]) -> int:
        return grid[0] * grid[1] * grid[2] // self.merge**2

    def _times(self, film: Frames, grid: tuple[int, int, int]) -> torch.Tensor:
        """Seconds of each row: a step in time is as late as the mean of its frames (`encoders.hf`)."""
        at = [tick / TICKS for tick in ticks(film)]
        at += [at[-1]] * (-len(at) % self.steps)
        means = [(at[i] + at[i + self.steps - 1]) / 2 for i in range(0, len(at), self.steps)]
        return torch.tensor(means, dtype=torch.float64).repeat_interleave(self._length(grid) // grid[0])


def given(opened: Inputs, spec: VideoSpec) -> Mapping[str, Any]:
    """One prompt's media as `multi_modal_data`: pixels as they are, and of a film the times of its frames."""
    found: dict[str, Any] = {}
    picture, film = opened.get("image"), opened.get("video")
    if isinstance(picture, Picture):
        from PIL import Image

        found["image"] = [Image.fromarray(picture.image)]
    if isinstance(film, Frames):
        found["video"] = [(film.images, dict(metadata(film, spec)))]
    return found
