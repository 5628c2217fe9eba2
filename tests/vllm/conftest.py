"""Real vLLM on a CPU (`nox -s vllm`), with random tiny models saved to disk. Without vLLM nothing here is collected.

Each test compares with the local engine in the same process: the same weights, in fp32.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
HAVE = find_spec("vllm") is not None
collect_ignore_glob = [] if HAVE else ["test_*.py"]

if HAVE:
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["VLLM_LOGGING_LEVEL"] = "ERROR"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """vLLM and what it brings along warn of their own deprecations; elsewhere a warning is an error."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.filterwarnings("default"))


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def engines() -> Iterator[list[Any]]:
    """What a module's fixtures have started; ended with the module, since two models want twice the memory."""
    started: list[Any] = []
    yield started
    for one in started:
        one.close()
