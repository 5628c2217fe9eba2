from __future__ import annotations

import subprocess
import sys

import pytest

_READ = """
import numpy as np, psutil
from vlmkit.training import memory
memory.{how}()
me = psutil.Process()
first = me.memory_info().rss
blocks, small = [], []
for _ in range(40):
    blocks.append(np.ones(2**19))
    small.append(bytearray(3000))
held = me.memory_info().rss
blocks.clear()
print((held - first) >> 20, (me.memory_info().rss - first) >> 20)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's settings")
@pytest.mark.parametrize(("how", "least", "most"), [("give_back", 0, 20), ("keep_freed", 120, 200)])
def test_what_is_freed_goes_back_or_stays(how: str, least: int, most: int) -> None:
    pytest.importorskip("psutil")
    done = subprocess.run([sys.executable, "-c", _READ.format(how=how)], check=True, capture_output=True, text=True)
    held, left = map(int, done.stdout.split())
    assert held > 120
    assert least <= left <= most
