"""Films that are too long for one question: windows of all films in the same batches, and one answer a film."""

from __future__ import annotations

from vlmkit.windows.feed import Feed, Film, Progress, Unit

__all__ = ["Feed", "Film", "Progress", "Unit"]
