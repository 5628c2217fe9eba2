"""Any Hugging Face vision model as an encoder of pictures: one pooled row a picture."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from vlmkit.errors import CheckpointError, MediaError, WiringError
from vlmkit.hub import opened, refuse_gaps
from vlmkit.media.framing import Fit, Framing, Resample, framed
from vlmkit.media.image import open_image
from vlmkit.media.pixels import blank
from vlmkit.media.spec import WHOLE, ImageSpec
from vlmkit.types import Batch, Features, Image, Inputs, Modality, Sample

Row = Literal["pooled", "first"]
"""What the model itself pools (SigLIP's attention head, CLIP's normed class token), or its first row."""

_AT_ONCE = 64  # pictures in one pass
_RESCALE = 1 / 255  # the only one that image processors use for bytes
_POOLER = "pooler."
# What a published file may hold besides: the other tower of a pair, their projections, a classifier.
_BESIDE = ("text_model.", "text_projection.", "visual_projection.", "logit_scale", "logit_bias", "classifier.", _POOLER)
_BUFFERS = ("position_ids",)


class HfImages:
    """One row of numbers a picture, from the model's own pooling or from its first row.

    Args:
        hf: a vision model of `transformers`: `SiglipVisionModel`, `CLIPVisionModel`, `Dinov2Model`, `ViTModel` …
        framing: size, fit and normalisation that it was trained with; `framing_of` reads a processor's.
        image: how much of a file is taken before that; all of it, so that it is scaled once, when not given.
        row: `pooled` where the model pools, when not given.
        name: hub id or folder that the weights are from; the model's own word when not given.

    Raises `WiringError` for a model of pictures and words together.
    """

    def __init__(
        self,
        hf: Any,
        framing: Framing,
        *,
        image: ImageSpec = WHOLE,
        row: Row | None = None,
        name: str | None = None,
    ) -> None:
        self._hf = hf
        self._row: Row = row or ("pooled" if _pools(hf) else "first")
        self.framing = framing
        self.image_spec = image
        self._check()
        self.modalities: frozenset[Modality] = frozenset({"image"})
        self.reads = self.modalities
        self.dim: int = _width(hf.config)
        self.module: nn.Module = hf
        self._options = _options(hf, framing)
        self.spec: Mapping[str, Any] = {
            "image": {
                "tower": name or str(hf.config.name_or_path),
                "row": self._row,
                "framing": framing.to_json(),
                "picture": image.to_json(),
            }
        }

    def _check(self) -> None:
        if hasattr(self._hf.config, "vision_config"):
            raise WiringError(
                f"{type(self._hf).__name__} reads words too; give its vision tower (open_image_tower loads just that)"
            )
        if self._row not in get_args(Row):
            raise WiringError(f"unknown row {self._row!r}; choose one of {', '.join(get_args(Row))}")

    def transform(self, sample: Sample, modality: Modality) -> Inputs | None:
        """`pixel_values` `[1, 3, height, width]`; None for a sample without a picture.

        Raises `MediaError` for a file that cannot be used.
        """
        medium = sample.media.get(modality)
        if medium is None:
            return None
        if not isinstance(medium, Image):
            raise MediaError(str(medium), "not_media", f"an Image was wanted; given {type(medium).__name__}")
        picture = open_image(medium, self.image_spec)
        pixels = torch.from_numpy(framed(picture.image, self.framing))[None]
        return {"pixel_values": pixels, "notes": (*picture.notes, *blank(picture.image, modality))}

    def encode(self, batch: Batch) -> dict[Modality, Features]:
        """`[n, d]`, one row a picture. A row does not depend on the rest of the batch."""
        weight = next(self.module.parameters())
        present = [one["pixel_values"] for one in batch.inputs if "pixel_values" in one]
        lengths = tuple(int("pixel_values" in one) for one in batch.inputs)
        if not present:
            return {"image": Features(weight.new_zeros(0, self.dim), lengths)}
        pixels = torch.cat(present).to(weight)
        rows = torch.cat([self.rows(some) for some in pixels.split(_AT_ONCE)])
        return {"image": Features(rows, lengths)}

    def rows(self, pixels: Tensor) -> Tensor:
        """Prepared pixels `[b, 3, height, width]` to `[b, d]`. Raises `WiringError` where there is no such row."""
        out = self._hf(pixel_values=pixels, **self._options)
        found: Tensor | None = getattr(out, "pooler_output", None) if self._row == "pooled" else out.last_hidden_state
        if self._row == "first" and found is not None and found.ndim == 3:
            found = found[:, 0]
        if self._row == "pooled" and found is not None:
            found = found.flatten(1)  # convolutional networks leave two sides of length 1
        if found is None or found.shape[1:] != (self.dim,):
            shape = "no such rows" if found is None else f"rows of shape {list(found.shape[1:])}"
            wanted = f"wanted [{self.dim}]: set row={'first' if self._row == 'pooled' else 'pooled'!r}"
            raise WiringError(f"{type(self._hf).__name__} with row={self._row!r} gives {shape}; {wanted}")
        return found


def open_image_tower(
    source: str | Path,
    *,
    fit: Fit | None = None,
    row: Row | None = None,
    image: ImageSpec = WHOLE,
    framing: Framing | None = None,
    revision: str | None = None,
) -> HfImages:
    """A vision tower in eval mode and fp32, from a hub id or a local folder; of a full SigLIP or CLIP, that half of it.

    Args:
        fit: another way of making pictures fit than the checkpoint's own.
        row: without it, `first` where the file holds no weights of the model's pooling.
        framing: what a saved head was trained with; it counts before the checkpoint's own figures.

    Raises `CheckpointError` for weights that are not there, only as pickles, or not all there, and for preprocessing
    that is none of ours.
    """
    from transformers import AutoImageProcessor

    hf, processor, report = opened(
        _Towers, AutoImageProcessor if framing is None else None, source, revision=revision, dtype=torch.float32
    )
    if row is None and any(key.startswith(_POOLER) for key in report["missing_keys"]):
        row = "first"
    refuse_gaps(source, report, lambda kind, key: _spare(kind, key, row))
    if row == "first" and getattr(hf, "pooler", None) is not None:
        hf.pooler = None  # nobody reads it, and it may be a random start
    return HfImages(hf.eval(), framing or framing_of(processor, fit), image=image, row=row, name=str(source))


def framing_of(processor: Any, fit: Fit | None = None) -> Framing:
    """What an image processor of `transformers` does to a picture.

    Args:
        fit: another way of making a picture fit into the same size.

    Raises `CheckpointError` for processors that do anything else, and for those that leave pictures of any shape.
    """
    kind = type(processor).__name__
    size, crop = dict(processor.size or {}), dict(getattr(processor, "crop_size", None) or {})
    crops = bool(getattr(processor, "do_center_crop", False)) and bool(crop)
    shortest = size.get("shortest_edge")
    height = crop["height"] if crops else size.get("height", shortest)
    width = crop["width"] if crops else size.get("width", shortest)
    squashes = "height" in size and (not crops or (size["height"], size["width"]) == (height, width))
    own: Fit | None = "squash" if squashes else "crop" if crops and shortest else None
    odd = [name for name in ("do_pad", "do_thumbnail", "do_splitting") if getattr(processor, name, None)]
    scaled = processor.do_rescale and abs(processor.rescale_factor - _RESCALE) < 1e-9
    if height is None or width is None or (fit or own) is None or odd or not scaled or not processor.do_resize:
        raise CheckpointError(
            f"{kind}: its preprocessing (size {size}, crop {crop or 'none'}) is none of {', '.join(get_args(Fit))} to "
            "one size; give fit= or framing="
        )
    normal = bool(processor.do_normalize)
    return Framing(
        width_px=int(width),
        height_px=int(height),
        mean=tuple(processor.image_mean) if normal else (0.0, 0.0, 0.0),
        std=tuple(processor.image_std) if normal else (1.0, 1.0, 1.0),
        fit=fit or own or "squash",
        shortest_px=int(shortest) if shortest and (fit or own) == "crop" else None,
        resample=get_args(Resample)[int(processor.resample)],
    )


class _Towers:
    """Picks the class of a checkpoint's vision tower, as an auto class does."""

    @staticmethod
    def from_pretrained(source: str | Path, **options: Any) -> Any:
        from transformers import MODEL_MAPPING, AutoConfig, AutoModel

        asked = {name: options[name] for name in ("revision", "trust_remote_code")}
        vision = getattr(AutoConfig.from_pretrained(source, **asked), "vision_config", None)
        models: Any = AutoModel if vision is None else MODEL_MAPPING[type(vision)]
        return models.from_pretrained(source, **options)


def _spare(kind: str, key: str, row: Row | None) -> bool:
    if kind == "missing":
        return key.endswith(_BUFFERS) or (row == "first" and key.startswith(_POOLER))
    return kind == "unexpected" and (key.startswith(_BESIDE) or key.endswith(_BUFFERS))


def _options(hf: Any, framing: Framing) -> dict[str, bool]:
    """A model that reads pictures of another size than it was trained on has to be told, where it can be."""
    side = getattr(hf.config, "image_size", None)
    own = tuple(side) if isinstance(side, list | tuple) else (side, side)
    tellable = "interpolate_pos_encoding" in inspect.signature(hf.forward).parameters
    return {"interpolate_pos_encoding": True} if tellable and own != (framing.height_px, framing.width_px) else {}


def _pools(hf: Any) -> bool:
    return bool(getattr(hf, "use_head", True)) and getattr(hf, "pooler", hf) is not None


def _width(config: Any) -> int:
    """Of last hidden states: networks in stages name one width a stage."""
    stages = getattr(config, "hidden_sizes", None)
    return int(stages[-1] if stages else config.hidden_size)
