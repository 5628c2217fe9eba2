"""The pages know every public name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import vlmkit

PAGES = sorted((Path(__file__).parents[1] / "docs").glob("*.md"))


@pytest.mark.parametrize("name", vlmkit.__all__)
def test_every_public_name_stands_in_the_pages(name: str) -> None:
    pattern = re.compile(rf"\b{name}\b")
    assert any(pattern.search(page.read_text(encoding="utf-8")) for page in PAGES)
