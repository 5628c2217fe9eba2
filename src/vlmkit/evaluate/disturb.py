"""Ways to spoil a sample: a picture's compression and focus, a text's letters, a modality as a whole."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from vlmkit.errors import MediaError
from vlmkit.media import WHOLE, open_image
from vlmkit.types import Image, Modality, Sample

if TYPE_CHECKING:
    from PIL.Image import Image as Pillow

QUALITIES = (50, 20, 10)  # of JPEG
RADII_PX = (1, 2, 4)
SHARES = (0.05, 0.15)
"""Of the letters and digits of a text."""
ORDER: tuple[Modality, ...] = ("image", "text", "audio", "video")

_LOOKALIKES = {
    **dict(zip("aceiopsxyjABCEHIKMOPTX", "асеіорѕхујАВСЕНІКМОРТХ", strict=True)),  # noqa: RUF001  # Cyrillic, on purpose
    **dict(zip("lzgtbq", "127+69", strict=True)),
    **dict(zip("0135", "OlES", strict=True)),
}


@dataclass(frozen=True)
class Disturbance:
    """A way to spoil one modality.

    Attributes:
        spoil: `(sample, seed)`; the spoilt sample, or in a few words why it does not apply.
    """

    name: str
    modality: Modality
    spoil: Callable[[Sample, int], Sample | str]


def disturbances(accepts: Collection[Modality], requires: Collection[Modality]) -> Iterator[Disturbance]:
    """What can be done to the samples of a task. Films and sounds are only taken out as a whole."""
    if "image" in accepts:
        for quality in QUALITIES:
            yield Disturbance(f"JPEG quality {quality}", "image", partial(_compressed, quality))
        for radius_px in RADII_PX:
            yield Disturbance(f"blur of {radius_px} px", "image", partial(_blurred, radius_px))
    if "text" in accepts:
        for share in SHARES:
            yield Disturbance(f"{share:.0%} of the letters", "text", partial(_misspelt, share))
    for modality in ORDER:
        if modality in accepts:
            yield Disturbance(f"without {modality}", modality, partial(_without, modality, modality in requires))


def misspell(text: str, share: float, seed: int) -> str:
    """A share of the letters and digits, at least one, is left out, swapped, or replaced by a sign that looks alike.

    Swapped with the next sign; where no sign looks alike it is left out. The same for the same seed.
    """
    rng = np.random.default_rng(seed)
    signs = list(text)
    places = [place for place, sign in enumerate(signs) if sign.isalnum()]
    if not places:
        return text
    chosen = rng.choice(places, max(1, round(share * len(places))), replace=False)
    for place in sorted(chosen.tolist()):
        way = rng.integers(3)
        if way == 0 and place + 1 < len(signs) and signs[place + 1] != signs[place]:
            signs[place], signs[place + 1] = signs[place + 1], signs[place]
        elif way == 1:
            signs[place] = _LOOKALIKES.get(signs[place], "")
        else:
            signs[place] = ""
    return "".join(signs)


def _misspelt(share: float, sample: Sample, seed: int) -> Sample | str:
    if sample.text is None or not any(sign.isalnum() for sign in sample.text):
        return "no letters"
    own = zlib.crc32(sample.id.encode("utf-8", "surrogatepass"))  # so that no sample depends on the others
    return replace(sample, text=misspell(sample.text, share, seed ^ own))


def _compressed(quality: int, sample: Sample, seed: int) -> Sample | str:
    picture = _opened(sample)
    if isinstance(picture, str):
        return picture
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return _with(sample, Image(file.getvalue()))


def _blurred(radius_px: int, sample: Sample, seed: int) -> Sample | str:
    from PIL.ImageFilter import GaussianBlur

    picture = _opened(sample)
    if isinstance(picture, str):
        return picture
    return _with(sample, Image(np.array(picture.filter(GaussianBlur(radius_px)))))


def _without(modality: Modality, required: bool, sample: Sample, seed: int) -> Sample | str:
    if modality not in sample.modalities:
        return f"no {modality}"
    if required:
        return f"{modality} is required"
    if sample.modalities == {modality}:
        return f"nothing but {modality}"
    media = {name: one for name, one in sample.media.items() if name != modality}
    return replace(sample, media=media, text=None if modality == "text" else sample.text)


def _opened(sample: Sample) -> Pillow | str:
    """The picture as models are given it, at its own size; the reason where there is none."""
    from PIL import Image as pillow

    image = sample.media.get("image")
    if not isinstance(image, Image):
        return "no image"
    try:
        return pillow.fromarray(open_image(image, WHOLE).image)
    except MediaError as error:
        return f"image {error.reason}"


def _with(sample: Sample, image: Image) -> Sample:
    return replace(sample, media={**sample.media, "image": image})
