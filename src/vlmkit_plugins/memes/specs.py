"""What each preset reads of a text and looks at in a picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from vlmkit.media.framing import Framing

# preprocessor_config.json of google/siglip-base-patch16-384. No crop and no flip: both would spoil words.
_SIGLIP = Framing(384, 384, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), fit="squash", resample="bicubic")
FRAMING: Mapping[str, Framing] = {
    "mdeberta-siglip": _SIGLIP,
    "mdeberta-siglip-gated": _SIGLIP,
    "tiny": replace(_SIGLIP, width_px=80, height_px=80),
}


@cache
def specs(preset: str) -> Mapping[str, Any]:
    """The preprocessing of a preset as JSON data, by modality: as its experts say it. Imports torch."""
    from vlmkit_plugins.memes import recipe

    found: dict[str, Any] = {}
    for expert in recipe.contracted(preset):
        found |= expert.spec
    return found
