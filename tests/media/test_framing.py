"""A picture of any shape to the numbers of one size: as image processors of transformers do it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from PIL import Image as pillow
from transformers import CLIPImageProcessorPil, SiglipImageProcessorPil

from vlmkit.media.framing import Fit, Framing, framed

HALF = (0.5, 0.5, 0.5)
SIZES = [(50, 70), (31, 20), (24, 24), (7, 9), (40, 301)]


def picture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)


def framing(fit: Fit = "squash", **changes: Any) -> Framing:
    return Framing(**{"width_px": 24, "height_px": 24, "mean": HALF, "std": HALF, "fit": fit, **changes})


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("resample", ["bicubic", "bilinear", "lanczos", "nearest"])
def test_squash_is_what_siglips_processor_does(size: tuple[int, int], resample: str) -> None:
    made = picture(*size)
    number = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3}[resample]
    reference = SiglipImageProcessorPil(
        size={"height": 24, "width": 20}, image_mean=[0.4, 0.5, 0.6], image_std=[0.2, 0.3, 0.4], resample=number
    )
    found = framed(made, framing(width_px=20, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4), resample=resample))
    assert found.shape == (3, 24, 20) and found.dtype == np.float32
    wanted = np.asarray(reference(images=pillow.fromarray(made))["pixel_values"][0])
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("shortest", "side"), [(24, 24), (29, 24), (28, 23)])
def test_crop_is_what_clips_processor_does(size: tuple[int, int], shortest: int, side: int) -> None:
    made = picture(*size)
    reference = CLIPImageProcessorPil(
        size={"shortest_edge": shortest}, crop_size={"height": side, "width": side}, image_mean=HALF, image_std=HALF
    )
    found = framed(made, framing("crop", width_px=side, height_px=side, shortest_px=shortest))
    wanted = np.asarray(reference(images=pillow.fromarray(made))["pixel_values"][0])
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("size", "bars"), [((24, 48), "above"), ((48, 24), "beside"), ((1, 200), "above")])
def test_pad_keeps_the_shape_between_bars_of_the_mean(size: tuple[int, int], bars: str) -> None:
    found = framed(picture(*size), framing("pad"))
    outer = found[:, [0, -1], :] if bars == "above" else found[:, :, [0, -1]]
    assert (outer == 0).all() and (found != 0).any()
    if size == (24, 48):
        scaled = np.asarray(pillow.fromarray(picture(*size)).resize((24, 12), pillow.Resampling.BICUBIC))
        np.testing.assert_allclose(found[:, 6:18], (scaled.transpose(2, 0, 1) / 255 - 0.5) / 0.5, rtol=0, atol=1e-6)
        assert (found[:, :6] == 0).all() and (found[:, 18:] == 0).all()


def test_nothing_is_mirrored() -> None:
    made = np.zeros((24, 24, 3), np.uint8)
    made[:4, :4] = 255
    fits: tuple[Fit, ...] = ("squash", "pad", "crop")
    for fit in fits:
        found = framed(made, framing(fit))
        assert found[0, 1, 1] == 1 and found[0, 1, -2] == found[0, -2, 1] == -1


def test_a_framing_is_json_and_comes_back() -> None:
    made = framing("crop", shortest_px=30, resample="bilinear")
    again = Framing.from_json(json.loads(json.dumps(made.to_json())))
    assert again == made
    with pytest.raises(ValueError, match=r"wanted fit, height_px.*given std"):
        Framing.from_json({"std": [1, 1, 1]})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fit": "stretch"}, "fit='stretch' is unknown; choose one of squash, pad, crop"),
        ({"resample": "area"}, "resample='area' is unknown"),
        ({"mean": (0.5,)}, "mean=.* are not three numbers"),
        ({"mean": (0.5, 0.5, float("nan"))}, "are not three numbers"),
        ({"std": (0.5, 0.5, 0.0)}, "each above 0"),
        ({"width_px": 0}, "0x24 is no size"),
        ({"shortest_px": 30}, "is for fit='crop'"),
        ({"fit": "crop", "shortest_px": 20}, "24 at least"),
    ],
)
def test_figures_that_make_no_sense_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        framing(**changes)
