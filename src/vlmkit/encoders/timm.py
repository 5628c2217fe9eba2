"""Any trunk of `timm` as an encoder of pictures and films: one row a picture, one a frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from vlmkit.errors import CheckpointError, MediaError, MissingExtraError, UnknownNameError, WiringError
from vlmkit.hub import require_reachable
from vlmkit.media.image import open_image
from vlmkit.media.pixels import blank
from vlmkit.media.spec import ImageSpec, VideoSpec
from vlmkit.media.video import open_video
from vlmkit.safety import require_safetensors
from vlmkit.types import Batch, Clip, Features, Image, Inputs, Modality, Sample

_PIXELS: Mapping[Modality, str] = {"image": "pixel_values", "video": "pixel_values_videos"}
_AT_ONCE = 64  # pictures in one pass: bounds the memory of a long film
_FILE = "model.safetensors"


class TimmImages:
    """One row of `trunk.num_features` numbers for each picture and for each frame that the sampler picks.

    Pictures are scaled, cropped and normalised as the trunk's own data configuration says
    (`timm.data.resolve_model_data_config`); `image` and `video` say which frames and how many pixels at most are taken
    out of a file before that, so `multiple_px=1` keeps their size.

    The row is what timm's own head reads: its pooling (the mean, the class token, attention) and its norm. Heads with
    a hidden layer of their own are left out, and the mean over the map is the row. So MobileNetV4 gives its 960
    channels, and not the 1280 that its head makes of them for ImageNet's classes.

    Args:
        trunk: a timm model; `open_timm` makes one.
        name: how the trunk is called, with its tag; its own configuration says so when not given.

    Raises `WiringError` for a model that is not timm's.
    """

    def __init__(self, trunk: nn.Module, *, image: ImageSpec, video: VideoSpec, name: str | None = None) -> None:
        data = _timm().data
        if not isinstance(getattr(trunk, "pretrained_cfg", None), Mapping) or not hasattr(trunk, "forward_features"):
            raise WiringError(f"{type(trunk).__name__} is no timm trunk; open_timm(name, weights='random') makes one")
        own: Any = trunk
        self._config: dict[str, Any] = data.resolve_model_data_config(trunk)
        self._prepare = data.create_transform(**self._config, is_training=False)
        self._pooled: bool = own.head_hidden_size == own.num_features
        self._channels_last = getattr(own, "output_fmt", "NCHW") == "NHWC"
        self.image_spec = image
        self.video_spec = video
        self.modalities: frozenset[Modality] = frozenset({"image", "video"})
        self.reads = self.modalities
        self.dim: int = own.num_features
        self.input_size: tuple[int, int, int] = tuple(self._config["input_size"])
        self.module: nn.Module = trunk
        shared = {"trunk": name or _name(own.pretrained_cfg), "data": _plain(self._config)}
        self.spec: Mapping[str, Any] = {
            "image": {**shared, "picture": image.to_json()},
            "video": {**shared, "film": video.to_json()},
        }

    def transform(self, sample: Sample, modality: Modality) -> Inputs | None:
        """Pixels `[m, 3, height, width]`: one picture, or the frames of a film with their `times_s` `[m]`.

        Raises `MediaError` for a file that cannot be used.
        """
        medium = sample.media.get(modality)
        if medium is None:
            return None
        if modality == "image":
            if not isinstance(medium, Image):
                raise MediaError(str(medium), "not_media", f"an Image was wanted; given {type(medium).__name__}")
            picture = open_image(medium, self.image_spec)
            notes = (*picture.notes, *blank(picture.image, modality))
            return {"pixel_values": self._pixels([picture.image]), "notes": notes}
        if not isinstance(medium, Clip):
            raise MediaError(str(medium), "not_media", f"a Clip was wanted; given {type(medium).__name__}")
        frames = open_video(medium, self.video_spec)
        return {
            "pixel_values_videos": self._pixels(frames.images),
            "times_s": torch.tensor(frames.times_s),
            "notes": (*frames.notes, *blank(frames.images, modality)),
            "facts": {"video_s": frames.duration_s},
        }

    def _pixels(self, pictures: Sequence[np.ndarray] | np.ndarray) -> Tensor:
        from PIL import Image as pillow

        return torch.stack([self._prepare(pillow.fromarray(picture)) for picture in pictures])

    def encode(self, batch: Batch) -> dict[Modality, Features]:
        """`[n, d]`: one row a picture, one a frame with its time. A row does not depend on the rest of the batch."""
        modalities: tuple[Modality, ...] = ("image", "video")
        return {modality: self._encode(modality, batch.inputs) for modality in modalities}

    def _encode(self, modality: Modality, inputs: Sequence[Inputs]) -> Features:
        present = [one for one in inputs if _PIXELS[modality] in one]
        lengths = tuple(len(one[_PIXELS[modality]]) if _PIXELS[modality] in one else 0 for one in inputs)
        weight = next(self.module.parameters())
        if not present:
            return Features(weight.new_zeros(0, self.dim), lengths)
        pixels = torch.cat([one[_PIXELS[modality]] for one in present]).to(weight)
        pixels = pixels.contiguous(memory_format=torch.channels_last)  # convolutions are faster so, and equal
        rows = torch.cat([self.rows(some) for some in pixels.split(_AT_ONCE)])
        times_s = torch.cat([one["times_s"] for one in present]) if modality == "video" else None
        return Features(rows, lengths, times_s=times_s)

    def rows(self, pixels: Tensor) -> Tensor:
        """Prepared pixels `[b, 3, height, width]` to `[b, d]`."""
        trunk: Any = self.module
        rows: Tensor = trunk.forward_features(pixels)
        if self._pooled:
            rows = trunk.forward_head(rows, pre_logits=True)
        if rows.ndim == 4:
            rows = rows.mean((1, 2) if self._channels_last else (2, 3))
        if rows.shape[1:] != (self.dim,):
            raise WiringError(
                f"{type(trunk).__name__} gives rows of shape {list(rows.shape[1:])}; wanted [{self.dim}]: make it with "
                "open_timm, or with its default global_pool"
            )
        return rows


def open_timm(
    name: str, weights: Literal["pretrained", "random"] | Path = "pretrained", **architecture: Any
) -> nn.Module:
    """A trunk in eval mode, without classifier and without what only the classifier reads.

    Args:
        name: of a timm model, with a tag where it has more than one set of weights.
        weights: `pretrained` from the local cache or the hub, `random`, or a safetensors file.
        architecture: what timm's own constructor takes, for random weights of other widths.

    Raises `UnknownNameError` for a name that timm does not have, `CheckpointError` for weights that are not there or do
    not fit to the last name and shape, `MissingExtraError` without timm.
    """
    timm = _timm()
    if not timm.is_model(name):
        raise UnknownNameError("trunk", name, timm.list_models())
    file = None if weights == "random" else _download(timm, name) if weights == "pretrained" else Path(weights)
    if architecture and file is not None:
        raise WiringError(f"weights of {name!r} fit its own architecture; leave out {', '.join(architecture)}")
    trunk = timm.create_model(name, num_classes=0, **architecture) if file is None else _loaded(timm, name, file)
    if trunk.head_hidden_size != trunk.num_features == trunk.feature_info[-1]["num_chs"]:
        # Else the head's hidden layer stays, unused and untrained. (GhostNets keep layers after their last stage.)
        trunk.prune_intermediate_layers(1, prune_norm=False, prune_head=True)
    module: nn.Module = trunk.eval()
    return module


def _timm() -> Any:
    try:
        import timm
        import timm.data
    except ImportError as error:
        raise MissingExtraError("timm", "vision") from error
    return timm


def _download(timm: Any, name: str) -> Path:
    """The trunk's file out of the local cache or from the hub. Never timm's own download, which takes pickles too."""
    from huggingface_hub import hf_hub_download

    config = timm.get_pretrained_cfg(name)
    if config is None or not config.hf_hub_id:
        raise CheckpointError(f"timm has no weights on the hub for {name!r}; choose another, or give a file")
    require_reachable(config.hf_hub_id, _FILE)
    try:
        return Path(hf_hub_download(config.hf_hub_id, _FILE))
    except Exception as error:  # the hub's HTTP library, and with it every error class, differs between its releases
        raise CheckpointError(
            f"cannot load {config.hf_hub_id!r}: the hub gives no {_FILE} of it; preset='tiny' (--preset tiny) works "
            "offline"
        ) from error


def _loaded(timm: Any, name: str, file: Path) -> Any:
    """The whole model, filled strictly from the file, and its classifier taken off again where the file has one."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    shapes = {key: info.shape for key, info in require_safetensors(file).items()}
    classifier = timm.get_pretrained_cfg(name).classifier
    first = classifier if isinstance(classifier, str) else classifier[0]
    trunk = timm.create_model(name, num_classes=shapes.get(f"{first}.weight", (0,))[0])
    own = {key: tuple(value.shape) for key, value in trunk.state_dict().items()}
    if wrong := sorted(set(own) ^ set(shapes)) or [key for key in own if own[key] != shapes[key]]:
        raise CheckpointError(f"{file}: {len(wrong)} weights do not fit {name!r}, the first is {wrong[0]!r}")
    try:
        trunk.load_state_dict(load_file(file))
    except SafetensorError:
        raise CheckpointError(f"{file}: cannot be read; copy or download it again") from None
    trunk.reset_classifier(0)
    return trunk


def _name(config: Mapping[str, Any]) -> str:
    return ".".join(part for part in (config.get("architecture"), config.get("tag")) if part)


def _plain(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in config.items()}
