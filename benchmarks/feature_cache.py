"""What the feature cache saves: the first epoch of an alignment beside the second, at full size with random weights.

The first epoch decodes every medium and runs the frozen encoders; the second reads their rows: from disk, as another
run would, or from memory, as the same run does.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from vlmkit.loading import open_head, task_named
from vlmkit.model import Model
from vlmkit.training.align import AlignLearner, paired
from vlmkit.training.cache import FeatureCache
from vlmkit.training.data import Rows, prepare
from vlmkit.training.features import join
from vlmkit.training.stage import Stage
from vlmkit.types import Sample

BATCH = 8


@dataclass(frozen=True)
class Epoch:
    """Seconds of one pass over the data, and where its rows came from; `cpu_s` is what a busy machine leaves alone."""

    name: str
    read: int
    encoded: int
    rows_s: float
    train_s: float
    cpu_s: float

    @property
    def seconds(self) -> float:
        """Both parts."""
        return self.rows_s + self.train_s


def epoch(
    name: str, model: Model[Any], samples: Sequence[Sample], stage: Stage, folder: Path, rows: Rows | None = None
) -> tuple[Epoch, Rows]:
    """One pass of the optimiser over the samples that have pairs; `rows` where they are in memory already."""
    cache = FeatureCache(folder)
    start_s, cpu_s = time.perf_counter(), time.process_time()
    if rows is None:
        rows, _ = prepare(model, samples, [stage], cache)
    rows_s = time.perf_counter() - start_s
    model.train_roles(stage.roles)
    learner = AlignLearner(model, stage, ())
    optimizer = torch.optim.AdamW((p for p in learner.parameters() if p.requires_grad), lr=1e-3)
    items = paired(model, rows, stage, "samples").items
    learner.train()
    start_s = time.perf_counter()
    for start in range(0, len(items) - BATCH + 1, BATCH):
        batch = items[start : start + BATCH]
        learner([row.prepared for row in batch], join([row.kept for row in batch]))["loss"].backward()
        optimizer.step()
        optimizer.zero_grad()
    train_s = time.perf_counter() - start_s
    return Epoch(name, cache.read, cache.encoded, rows_s, train_s, time.process_time() - cpu_s), rows


def show(epochs: Sequence[Epoch]) -> None:
    """One line an epoch, with how many times as fast as the first it was."""
    names = ("from cache", "encoded", "rows, s", "training, s", "total, s", "times as fast", "CPU, s", "times less")
    print(" " * 22 + "".join(f"{name:>15}" for name in names))
    for one in epochs:
        first = epochs[0]
        seconds = "".join(f"{value:>15.2f}" for value in (one.rows_s, one.train_s, one.seconds))
        ratios = f"{first.seconds / one.seconds:>15.1f}{one.cpu_s:>15.2f}{first.cpu_s / one.cpu_s:>15.1f}"
        print(f"{one.name:<22}{one.read:>15}{one.encoded:>15}{seconds}{ratios}")


def main() -> None:
    """Draw, build, and go over the data three times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=64, help="samples (default 64)")
    parser.add_argument("--preset", default="qwen2.5-0.5b")
    given = parser.parse_args()
    packages = ", ".join(f"{name} {version(name)}" for name in ("vlmkit", "torch", "transformers"))
    print(f"{platform.platform()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads; {packages}")
    task = task_named("purrsight")
    with tempfile.TemporaryDirectory() as folder:
        data, cache = Path(folder, "data"), Path(folder, "cache")
        task.synth(data, given.n, 0, 1)
        samples = list(task.read(data))
        media = sum(len(one.media) + bool(one.text) for one in samples)
        print(f"purrsight/{given.preset}, random weights, on the CPU: {len(samples)} samples, {media} media and texts")
        model = open_head("purrsight", preset=given.preset, weights="random", device="cpu", precision="fp32").model
        stage = next(stage for stage in task.stages(given.preset) if stage.objective == "align")
        first, _ = epoch("first epoch", model, samples, stage, cache)
        disk, rows = epoch("second, from disk", model, samples, stage, cache)
        memory, _ = epoch("second, from memory", model, samples, stage, cache, rows)
    show([first, disk, memory])


if __name__ == "__main__":
    main()
