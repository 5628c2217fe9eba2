from __future__ import annotations

import errno
import gc
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

from vlmkit.errors import DataError
from vlmkit.training.bytes import Spool


def test_pixels_come_back_to_half_a_step() -> None:
    grey = torch.arange(256.0).repeat(3, 1)
    pixels = (grey / 255 - 0.48) / 0.27
    spool = Spool()
    kept = spool.keep(pixels)
    assert kept.codes().dtype is torch.uint8
    assert (kept.values() - pixels).abs().max() < 0.5 / 255 / 0.27
    assert spool.keep(kept) is kept


def test_one_colour_and_nothing() -> None:
    spool = Spool()
    assert torch.equal(spool.keep(torch.full((2, 2), 0.7)).values(), torch.full((2, 2), 0.7))
    assert spool.keep(torch.zeros(0, 4)).values().shape == (0, 4)


def test_each_has_its_own_place_whoever_reads() -> None:
    spool = Spool()
    pictures = [torch.arange(float(n + 2)).reshape(1, -1) + 1000 * n for n in range(60)]
    kept = [spool.keep(picture.T) for picture in pictures]  # transposed: not in the order of its memory
    with ThreadPoolExecutor(4) as pool:
        for found, picture in zip(pool.map(lambda one: one.values(), kept), pictures, strict=True):
            assert torch.allclose(found, picture.T, atol=0.5)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are counted in /proc")
def test_the_file_is_gone_with_what_was_kept() -> None:
    def files() -> int:
        gc.collect()
        links = [f"/proc/self/fd/{n}" for n in os.listdir("/proc/self/fd")]
        return sum(os.readlink(link).endswith("(deleted)") for link in links if os.path.islink(link))

    before = files()
    kept = Spool().keep(torch.rand(4))
    assert files() == before + 1
    assert kept.values().shape == (4,)
    del kept
    assert files() == before


def test_a_full_disk_says_where_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool()

    class Full:
        def seek(self, at: int) -> None:
            """Nowhere."""

        def write(self, data: Any) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(spool, "_file", Full())
    with pytest.raises(DataError, match=r"No space left on device after 0\.0 GiB\); let TMPDIR"):
        spool.keep(torch.rand(4))
