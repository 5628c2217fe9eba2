"""Pictures and films decoded and scaled as a model sees them, before any encoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vlmkit.errors import MediaError
from vlmkit.media.image import open_image
from vlmkit.media.spec import ImageSpec, VideoSpec
from vlmkit.media.video import open_video
from vlmkit.types import Clip, Image, Inputs, Modality, Sample


class Opened:
    """What `encoders.hf.HfVision` and engines that bring their own encoders are given alike."""

    def __init__(self, *, video: VideoSpec, image: ImageSpec) -> None:
        self.video_spec = video
        self.image_spec = image
        self.modalities: frozenset[Modality] = frozenset({"image", "video"})
        self.reads = self.modalities
        self.spec: Mapping[str, Any] = {"video": video.to_json(), "image": image.to_json()}

    def transform(self, sample: Sample, modality: Modality) -> Inputs | None:
        """`{"image": media.image.Picture}` or `{"video": media.video.Frames}`; a film's length joins the facts.

        Raises `MediaError` for a file that cannot be used.
        """
        medium = sample.media.get(modality)
        if medium is None:
            return None
        if modality == "image":
            if not isinstance(medium, Image):
                raise MediaError(str(medium), "not_media", f"an Image was wanted; given {type(medium).__name__}")
            picture = open_image(medium, self.image_spec)
            return {"image": picture, "notes": picture.notes}
        if not isinstance(medium, Clip):
            raise MediaError(str(medium), "not_media", f"a Clip was wanted; given {type(medium).__name__}")
        frames = open_video(medium, self.video_spec)
        return {"video": frames, "notes": frames.notes, "facts": {"video_s": frames.duration_s}}
