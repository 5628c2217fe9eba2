"""The vision tower of a Hugging Face vision-language model as an encoder: a view, cut after the merger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from vlmkit.encoders.opened import Opened
from vlmkit.media.clock import TICKS, spacing_s, ticks
from vlmkit.media.spec import ImageSpec, VideoSpec
from vlmkit.media.video import Frames
from vlmkit.types import Batch, Features, Inputs, Modality, Sample

_GRID = {"image": "image_grid_thw", "video": "video_grid_thw"}
_PIXELS = {"image": "pixel_values", "video": "pixel_values_videos"}


class HfVision:
    """Images and films through `get_image_features` / `get_video_features` of one Hugging Face model.

    Sampling and resizing follow the specs, in `vlmkit.media`; the model's own processor normalises and cuts patches.
    """

    def __init__(self, hf: Any, processor: Any, *, video: VideoSpec, image: ImageSpec) -> None:
        self._hf = hf
        self._processor = processor
        self.video_spec = video
        self.image_spec = image
        self._opened = Opened(video=video, image=image)
        self.modalities = self.reads = self._opened.modalities
        self.spec: Mapping[str, Any] = self._opened.spec
        self.dim: int = hf.config.text_config.hidden_size
        self.module: nn.Module = hf.model.visual
        self._merge: int = hf.config.vision_config.spatial_merge_size**2

    def transform(self, sample: Sample, modality: Modality) -> Inputs | None:
        """Patches `[p, d_patch]` and grid `[1, 3]`; for a film also the seconds of each time step.

        Raises `MediaError` for a file that cannot be used.
        """
        opened = self._opened.transform(sample, modality)
        if opened is None:
            return None
        made = dict(opened)
        if modality == "video":
            return {**self._patches(made.pop("video")), **made}
        picture = made.pop("image")
        cut = self._processor.image_processor(images=[picture.image], do_resize=False, return_tensors="pt")
        return {"pixel_values": cut["pixel_values"], "image_grid_thw": cut["image_grid_thw"], **made}

    def _patches(self, frames: Frames) -> dict[str, Any]:
        processor = self._processor.video_processor
        options: dict[str, Any] = {"do_resize": False, "do_sample_frames": False, "return_tensors": "pt"}
        if hasattr(processor, "cap_pixels_per_frame"):  # Qwen2.5-VL warns unless told; the spec bounds pixels here
            options["cap_pixels_per_frame"] = False
        video = torch.from_numpy(frames.images).permute(0, 3, 1, 2)  # [n, 3, h, w], uint8
        made = processor(videos=[video], **options)
        size: int = processor.temporal_patch_size
        times = [tick / TICKS for tick in ticks(frames)]
        times += [times[-1]] * (-len(times) % size)  # upstream repeats the last frame to fill the last time step
        means = [(times[i] + times[i + size - 1]) / 2 for i in range(0, len(times), size)]
        return {
            "pixel_values_videos": made["pixel_values_videos"],
            "video_grid_thw": made["video_grid_thw"],
            "times_s": torch.tensor(means, dtype=torch.float64),  # Qwen3-VL writes them with one decimal place
            "step_s": size * spacing_s(frames, self.video_spec),
        }

    def encode(self, batch: Batch) -> dict[Modality, Features]:
        """Rows after the merger, in reading order; `deep` holds the deepstack rows of Qwen3-VL."""
        modalities: tuple[Modality, ...] = ("image", "video")
        return {modality: self._encode(modality, batch.inputs) for modality in modalities}

    def _encode(self, modality: Modality, inputs: Sequence[Inputs]) -> Features:
        present = [one for one in inputs if _GRID[modality] in one]
        rows = [
            int(one[_GRID[modality]].prod(-1).sum()) // self._merge if _GRID[modality] in one else 0 for one in inputs
        ]
        weight = next(self.module.parameters())
        if not present:
            return Features(weight.new_zeros(0, self.dim), tuple(rows))
        grid = torch.cat([one[_GRID[modality]] for one in present]).to(weight.device)
        pixels = torch.cat([one[_PIXELS[modality]] for one in present]).to(weight.device)  # upstream casts
        encode = self._hf.model.get_video_features if modality == "video" else self._hf.model.get_image_features
        out = encode(pixels, grid, return_dict=True)
        deep = tuple(torch.cat(tuple(layer)) for layer in getattr(out, "deepstack_features", None) or ())
        return Features(
            torch.cat(tuple(out.pooler_output)),
            tuple(rows),
            times_s=self._row_times(present) if modality == "video" else None,
            grid=grid,
            deep=deep,
            step_s=torch.tensor([one["step_s"] for one in present]) if modality == "video" else None,
        )

    def _row_times(self, present: Sequence[Inputs]) -> Tensor:
        per_step = [int(one["video_grid_thw"][0, 1:].prod()) // self._merge for one in present]
        return torch.cat([one["times_s"].repeat_interleave(n) for one, n in zip(present, per_step, strict=True)])
