from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from vlmkit_plugins.memes.phrases import MOCKING, PEOPLES, SLURS, WARM, Tone, caption
from vlmkit_plugins.memes.wording import combined

TONES: tuple[Tone, ...] = get_args(Tone)


def captions(tone: Tone, n: int = 400) -> list[str]:
    rng = np.random.default_rng(3)
    return [caption(tone, rng) for _ in range(n)]


def holds(text: str, words: tuple[str, ...]) -> bool:
    return any(word in text.lower() for word in words)


def test_each_tone_is_told_by_its_own_words() -> None:
    own = {"warm": WARM, "mocking": MOCKING, "slur": SLURS}
    for tone in TONES:
        for text in captions(tone):
            for name, words in own.items():
                if name == tone:
                    assert holds(text, words), text
                elif name == "slur" or {tone, name} == {"warm", "mocking"}:
                    assert not holds(text, words), text


def test_what_is_mean_is_meant_for_nobody_real() -> None:
    assert all(holds(text, PEOPLES) for text in captions("mocking"))
    assert not set(PEOPLES) & set(SLURS)


@pytest.mark.parametrize(("tone", "least"), [("warm", 390), ("mocking", 390), ("slur", 200), ("plain", 250)])
def test_captions_differ(tone: Tone, least: int) -> None:
    assert len(set(captions(tone))) >= least


def test_captions_are_plain_and_short_and_wording_leaves_them_as_they_are() -> None:
    for tone in TONES:
        for text in captions(tone, 100):
            assert text.isascii()
            assert "{" not in text
            assert 6 < len(text) <= 80
            assert combined(text) == f"[OCR] {text} [/OCR]"
