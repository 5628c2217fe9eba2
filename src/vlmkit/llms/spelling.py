"""Token ids back to text, with the bytes that each token wrote."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any


class Speller:
    """Reads a byte-level BPE vocabulary (GPT-2's table of printable stand-ins for bytes, as in Qwen's tokenizers)."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._added = set(tokenizer.get_added_vocab().values())

    def spell(self, ids: Sequence[int]) -> tuple[str, tuple[tuple[int, int], ...]]:
        """Text, and the half-open byte range of each token. A character cut at the end is left out."""
        written = b""
        spans = []
        for token in ids:
            piece = self._bytes(token)
            spans.append((len(written), len(written) + len(piece)))
            written += piece
        return written.decode("utf-8", errors="ignore"), tuple(spans)

    def _bytes(self, token: int) -> bytes:
        piece: str | None = self._tokenizer.convert_ids_to_tokens(token)
        if piece is None:
            return b""  # a padded row of the embedding: no text stands behind it
        if token in self._added:
            return b"" if token in self._tokenizer.all_special_ids else piece.encode()
        table = _byte_of()
        return bytes(table[c] for c in piece) if all(c in table for c in piece) else piece.encode()


@cache
def _byte_of() -> dict[str, int]:
    # GPT-2 (openai/gpt-2, src/encoder.py, bytes_to_unicode): printable bytes stand for themselves,
    # the others take the code points from 256 up, in byte order.
    printable = {*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [byte for byte in range(256) if byte not in printable]
    table = {chr(byte): byte for byte in printable}
    return table | {chr(256 + index): byte for index, byte in enumerate(others)}
