from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vlmkit.errors import DataError, MediaError
from vlmkit.types import Clip, Sample
from vlmkit_plugins.warehouse.splits import leak_check, split_of


def sample(name: str, source: Path | bytes | np.ndarray, **meta: str) -> Sample:
    return Sample(name, {"video": Clip(source)}, meta=meta)


def test_the_briefs_split() -> None:
    assert [split_of(f"U01{k:02d}") for k in range(1, 9)] == ["train"] * 6 + ["val", "test"]


def test_a_subject_belongs_to_one_split() -> None:
    with pytest.raises(DataError, match="'U0999' is in no split"):
        split_of("U0999")
    with pytest.raises(DataError, match="'U1' is in a and b"):
        split_of("U1", {"a": frozenset({"U1"}), "b": frozenset({"U1"})})


def test_a_renamed_copy_is_found_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"one")
    (tmp_path / "copy.mp4").write_bytes(b"one")
    (tmp_path / "b.mp4").write_bytes(b"two")
    a, copy, b = (sample(name, tmp_path / f"{name}.mp4") for name in ("a", "copy", "b"))
    leak_check({"train": [a, a], "test": [b]})
    with pytest.raises(DataError, match=r"1 leaks .*same film: 'a' \(train\) and 'copy' \(test\)"):
        leak_check({"train": [a], "test": [copy, b]})
    with pytest.raises(DataError, match="same film"):
        leak_check({"train": [a], "val": [sample("bytes", b"one")]})


def test_sessions_and_subjects_must_not_be_shared() -> None:
    train = sample("a", b"1", subject="U0101", session="S1")
    with pytest.raises(DataError, match=r"same subject: 'a' \(train\) and 'b' \(test\); same session"):
        leak_check({"train": [train], "test": [sample("b", b"2", subject="U0101", session="S1")]})
    with pytest.raises(DataError, match="1 leaks"):
        leak_check({"train": [train], "test": [sample("b", b"2", subject="U0101", session="S2")]})
    leak_check({"train": [train], "test": [sample("b", b"2", subject="U0101", session="S2")]}, by_subject=False)
    leak_check({"train": [train], "test": [sample("b", b"2", subject="U0102", session="S1")]})


def test_every_pair_is_listed() -> None:
    with pytest.raises(DataError, match=r"3 leaks .*\(a\) and .*\(b\).*\(a\) and .*\(c\).*\(b\) and .*\(c\)"):
        leak_check({name: [sample(name, b"1")] for name in "abc"})


def test_a_missing_film_is_named(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"gone\.mp4: missing"):
        leak_check({"train": [sample("a", tmp_path / "gone.mp4")]})
    with pytest.raises(MediaError, match="unreadable"):
        leak_check({"train": [sample("a", tmp_path)]})


def test_arrays_are_compared_by_their_frames() -> None:
    frames = np.arange(2 * 4 * 6 * 3, dtype=np.uint8).reshape(2, 4, 6, 3)
    with pytest.raises(DataError, match=r"1 leaks .*same film: 'a' \(train\) and 'b' \(test\)"):
        leak_check({"train": [sample("a", frames)], "test": [sample("b", frames.copy())]})
    other = frames.copy()
    other[-1, -1, -1, -1] += 1
    leak_check({"train": [sample("a", frames)], "test": [sample("b", other), sample("c", frames.reshape(2, 6, 4, 3))]})


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(DataError, match=r"a: wanted a film to compare between splits .* given none"):
        leak_check({"train": [Sample("a", text="no film")]})
    with pytest.raises(DataError, match="given list"):
        leak_check({"train": [sample("a", [1])]})  # type: ignore[arg-type]


def test_an_id_belongs_to_one_split() -> None:
    leak_check({"train": [sample("a", b"1"), sample("a", b"2")], "test": [sample("b", b"3")]})
    with pytest.raises(DataError, match=r"1 leaks .*same id: 'a' \(train\) and 'a' \(test\)"):
        leak_check({"train": [sample("a", b"1")], "test": [sample("a", b"2")]})
