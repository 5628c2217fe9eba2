"""Prompts to token ids: the model's own chat template, with every slot widened to its number of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers.video_utils import VideoMetadata

from vlmkit.errors import WiringError
from vlmkit.types import Lane, Prompt, Slot, Tokens


@dataclass(frozen=True)
class Rendered:
    """A batch of prompts as the model reads it: `[b, s]` each, padded on the left."""

    input_ids: Tensor
    attention_mask: Tensor
    mm_token_type_ids: Tensor


class ChatRenderer:
    """Renders for one processor of `transformers` (Qwen2.5-VL, Qwen3-VL)."""

    def __init__(self, processor: Any) -> None:
        self._processor = processor
        self._tokenizer = processor.tokenizer
        self._slot: dict[Lane, str] = {"image": processor.image_token, "video": processor.video_token}
        self._special = tuple(self._tokenizer.get_added_vocab())
        self._slot_id = {"image": processor.image_token_id, "video": processor.video_token_id}

    def text(self, prompt: Prompt) -> str:
        """Chat text of a prompt, each slot as the one token that stands for it in the template."""
        text: str = self._processor.apply_chat_template(
            [self._message(m.role, m.parts) for m in prompt.messages], tokenize=False, add_generation_prompt=True
        )
        return text

    def texts(self, prompts: Sequence[Prompt], tokens: Mapping[Lane, Tokens]) -> list[str]:
        """Chat text a prompt, slots widened. Raises `WiringError` where slots and rows do not match."""
        widths = {modality: self._widened(modality, rows) for modality, rows in tokens.items()}
        texts = []
        for index, prompt in enumerate(prompts):
            text = self.text(prompt)
            asked = {part.modality for message in prompt.messages for part in message.parts if isinstance(part, Slot)}
            for modality, rows in tokens.items():
                if (rows.lengths[index] > 0) != (modality in asked):
                    raise WiringError(
                        f"prompt {index} has {'a' if modality in asked else 'no'} {modality} slot "
                        f"and {rows.lengths[index]} {modality} rows"
                    )
                if rows.lengths[index]:
                    text = text.replace(self._slot[modality], next(widths[modality]), 1)
            texts.append(text)
        return texts

    def render(self, prompts: Sequence[Prompt], tokens: Mapping[Lane, Tokens]) -> Rendered:
        """Ids of the whole batch. Counts of slot ids and rows are compared sample by sample."""
        texts = self.texts(prompts, tokens)
        rows = [self._tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
        for modality, found in tokens.items():
            for index, ids in enumerate(rows):
                slots = ids.count(self._slot_id[modality])
                if slots != found.lengths[index]:
                    raise WiringError(f"prompt {index}: {slots} {modality} slots for {found.lengths[index]} rows")
        input_ids, mask = pad(rows, self._tokenizer.pad_token_id, left=True)
        return Rendered(input_ids, mask, self.kinds(input_ids))

    def kinds(self, input_ids: Tensor) -> Tensor:
        """0 text, 1 image, 2 video a token: what M-RoPE counts by."""
        image, video = input_ids == self._slot_id["image"], input_ids == self._slot_id["video"]
        kinds: Tensor = image.long() + 2 * video.long()
        return kinds

    def _message(self, role: str, parts: Sequence[str | Slot]) -> dict[str, Any]:
        content = [
            {"type": "text", "text": plain(p, self._special)} if isinstance(p, str) else {"type": p.modality}
            for p in parts
        ]
        return {"role": role, "content": content}

    def _widened(self, modality: Lane, rows: Tokens) -> Any:
        if rows.grid is None:
            return iter(())
        if modality == "image":
            made = [
                self._processor.replace_image_token({"image_grid_thw": rows.grid}, i) for i in range(len(rows.grid))
            ]
        else:
            made = [
                self._processor.replace_video_token({"video_grid_thw": rows.grid, "video_metadata": clocks}, i)
                for clocks in [self._clocks(rows)]
                for i in range(len(rows.grid))
            ]
        return iter(made)

    def _clocks(self, rows: Tokens) -> list[VideoMetadata]:
        # Real seconds handed over as "frame numbers at 1 fps": upstream divides the one by the other.
        if rows.grid is None or rows.times_s is None:
            raise WiringError("video rows without grid or times_s cannot be rendered")
        size = self._processor.video_processor.temporal_patch_size
        clocks = []
        offset = 0
        for (steps, *_), length in zip(rows.grid.tolist(), (n for n in rows.lengths if n), strict=True):
            times = rows.times_s[offset : offset + length : length // steps].tolist()
            indices = [time for time in times for _ in range(size)]
            clocks.append(VideoMetadata(total_num_frames=len(indices), fps=1.0, frames_indices=indices))
            offset += length
        return clocks


def unpadded(rendered: Rendered) -> list[tuple[int, ...]]:
    """The ids of each prompt without the padding of its batch."""
    rows = zip(rendered.input_ids, rendered.attention_mask.bool(), strict=True)
    return [tuple(ids[real].tolist()) for ids, real in rows]


def grids_of(prompts: Sequence[Prompt], tokens: Mapping[Lane, Tokens]) -> list[tuple[tuple[int, int, int], ...]]:
    """Of each prompt the (time, height, width) in patches behind its slots, in order, where rows have a grid."""
    left = {lane: iter(rows.grid.tolist()) for lane, rows in tokens.items() if rows.grid is not None}
    found: list[tuple[tuple[int, int, int], ...]] = []
    for index, prompt in enumerate(prompts):
        slots = [part.modality for message in prompt.messages for part in message.parts if isinstance(part, Slot)]
        own = [lane for lane in slots if lane in left and tokens[lane].lengths[index]]
        grids = [next(left[lane]) for lane in own]
        found.append(tuple((steps, height, width) for steps, height, width in grids))
    return found


def plain(text: str, special: Sequence[str]) -> str:
    """Text that cannot end a turn or open a slot: a special token in it gets a zero-width space inside."""
    for token in special:
        text = text.replace(token, f"{token[0]}\u200b{token[1:]}")
    return text


def pad(rows: Sequence[Sequence[int]], fill: int, *, left: bool) -> tuple[Tensor, Tensor]:
    """Ids `[b, s]` and mask `[b, s]`. Padding stands on the left for decoding, on the right for a loss."""
    width = max(map(len, rows))
    ids = torch.full((len(rows), width), fill, dtype=torch.long)
    mask = torch.zeros(len(rows), width, dtype=torch.long)
    for index, row in enumerate(rows):
        where = slice(width - len(row), width) if left else slice(0, len(row))
        ids[index, where] = torch.tensor(row, dtype=torch.long)
        mask[index, where] = 1
    return ids, mask
