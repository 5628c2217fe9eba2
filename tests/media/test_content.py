"""Media by what is in them."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from vlmkit.media.content import Contents, content_sha256


def test_a_file_and_its_bytes_are_the_same_content(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"one")
    assert (
        content_sha256(path)
        == content_sha256(str(path))
        == content_sha256(b"one")
        == hashlib.sha256(b"one").hexdigest()
    )
    assert Contents().sha256(path) == content_sha256(path)


def test_an_array_counts_with_its_shape_and_type() -> None:
    one = np.arange(6, dtype=np.uint8)
    others = [one.reshape(2, 3), one.reshape(3, 2), one.astype(np.int8)]
    assert len({content_sha256(each) for each in (one, *others)}) == 4
    assert content_sha256(one.reshape(2, 3).T) == content_sha256(one.reshape(2, 3).T.copy())


def test_a_file_is_read_once_until_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, contents = tmp_path / "a.png", Contents()
    path.write_bytes(b"one")
    first = contents.sha256(path)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", lambda *_: pytest.fail("read again"))
        assert contents.sha256(str(path)) == first
    path.write_bytes(b"two")
    os.utime(path, (1, 1))
    assert contents.sha256(path) == content_sha256(b"two")


def test_a_file_that_cannot_be_read_raises(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="gone"):
        Contents().sha256(tmp_path / "gone.png")
