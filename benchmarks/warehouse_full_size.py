"""A real preset at its full size with random weights: parameters, seconds, and measured memory beside the plan.

Memory is torch's own peak on a GPU; on a CPU it is how far the process grew, and the plan's allowance (made for a CUDA
context) is left out of the comparison.
"""

from __future__ import annotations

import argparse
import platform
import resource
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import torch

import vlmkit
from vlmkit.head import Head
from vlmkit.training.data import prepare
from vlmkit.training.loop import run_stage
from vlmkit.types import Clip, Sample
from vlmkit.llms.qwen_vl_memory import ALLOWANCE_BYTES, Load, Use, inference, training
from vlmkit_plugins.warehouse.plan import ARCHITECTURES
from vlmkit_plugins.warehouse.stages import STAGES
from vlmkit_plugins.warehouse.synth import draw_clip


def grown_bytes() -> int:
    """Largest resident size of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def peak_bytes(gpu: bool, before: int) -> int:
    """What the work since `before` needed at most."""
    return torch.cuda.max_memory_allocated() if gpu else grown_bytes() - before


def compare(what: str, measured: int, plan: Use) -> None:
    """Measured beside planned."""
    planned = plan.total - ALLOWANCE_BYTES
    print(f"{what:<10} measured {measured / 1e9:6.2f} GB   plan {planned / 1e9:6.2f} GB   {measured / planned:.2f} x")


def samples(n: int) -> list[Sample]:
    """Synthetic clips with truth, in memory."""
    drawn = [draw_clip(0, index) for index in range(n)]
    return [Sample(f"clip{i}", {"video": Clip(d.frames, fps=25.0)}, truth=d.truth) for i, d in enumerate(drawn)]


def train(head: Head[object], preset: str) -> None:
    """Two optimiser steps of the preset's own LoRA stage."""
    (stage,) = STAGES[preset]
    if head.model.backbone is None or stage.lora is None:
        raise SystemExit(f"{preset} has no LoRA stage")
    head.model.backbone.add_lora(**stage.lora)
    rows, _ = prepare(head.model, samples(4), [stage])
    with tempfile.TemporaryDirectory() as folder:
        log = run_stage(head.model, rows, stage, Path(folder), seed=0, max_steps=2)
    print(f"train      {log.seconds / log.steps:6.1f} s a step of {stage.accumulate} x {stage.batch_size} clips")


def main() -> None:
    """Build, answer once, and train two steps when asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="qwen2.5-vl-3b", choices=sorted(ARCHITECTURES))
    parser.add_argument("--device", default="auto")
    parser.add_argument("--train", action="store_true", help="also two LoRA steps")
    given = parser.parse_args()
    packages = ", ".join(f"{name} {version(name)}" for name in ("vlmkit", "torch", "transformers"))
    print(f"{platform.platform()}, {torch.get_num_threads()} threads; {packages}")
    before, start_s = grown_bytes(), time.perf_counter()
    head = vlmkit.load("warehouse", preset=given.preset, weights="random", device=given.device, precision="bf16")
    gpu = next(head.model.encoders[0].module.parameters()).is_cuda
    counts = {role: sum(p.numel() for p in found.values()) for role, found in head.model.roles.items() if found}
    print(f"{given.preset} on {torch.cuda.get_device_name() if gpu else 'the CPU'}: {counts}")
    print(f"build      {time.perf_counter() - start_s:6.1f} s")
    (answer,) = head.predict_many(samples(1))
    print("answer    ", {part: round(seconds, 2) for part, seconds in answer.timing_s.items()}, "seconds")
    architecture, load = ARCHITECTURES[given.preset], Load(reply_tokens=138)
    compare("inference", peak_bytes(gpu, before), inference(architecture, "bf16", load))
    if given.train:
        train(head, given.preset)
        plan = training(architecture, "bf16", Load(batch=2), rank=8)
        compare("training", peak_bytes(gpu, before), plan)


if __name__ == "__main__":
    main()
