"""A native preset at its full size with random weights: parameters, seconds, and measured memory beside the plan.

Memory is torch's own peak on a GPU; on a CPU it is how far the process grew, and the plan's allowance (made for a CUDA
context) is left out of the comparison.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from _measured import machine

import vlmkit
from vlmkit.head import Head
from vlmkit.llms.qwen_vl_memory import ALLOWANCE_BYTES, Architecture, Load, Use, inference, training
from vlmkit.training.data import prepare
from vlmkit.training.loop import run_stage
from vlmkit.training.stage import Stage
from vlmkit.types import Limits, Sample

Draw = Callable[[int], list[Sample]]


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


def train(head: Head[object], stages: Sequence[Stage], draw: Draw) -> None:
    """Two optimiser steps of the preset's own LoRA stage."""
    (stage,) = stages
    if head.model.backbone is None or stage.lora is None:
        raise SystemExit("this preset has no LoRA stage")
    head.model.backbone.add_lora(**stage.lora)
    rows, _ = prepare(head.model, draw(4), [stage])
    with tempfile.TemporaryDirectory() as folder:
        log = run_stage(head.model, rows, stage, Path(folder), seed=0, max_steps=2)
    print(f"train      {log.seconds / log.steps:6.1f} s a step of {stage.accumulate} x {stage.batch_size} clips")


def measure(
    task: str,
    architectures: Mapping[str, Architecture],
    stages: Mapping[str, Sequence[Stage]],
    draw: Draw,
    load: Load,
) -> None:
    """Build, answer once, and train two steps when asked.

    Args:
        draw: `n -> ` so many samples with truth, in memory. load: what one of them is.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default=next(iter(architectures)), choices=sorted(architectures))
    parser.add_argument("--device", default="auto")
    parser.add_argument("--train", action="store_true", help="also two LoRA steps")
    given = parser.parse_args()
    print(machine())
    before, start_s = grown_bytes(), time.perf_counter()
    head = vlmkit.load(task, preset=given.preset, weights="random", device=given.device, precision="bf16")
    gpu = next(head.model.encoders[0].module.parameters()).is_cuda
    counts = {role: sum(p.numel() for p in found.values()) for role, found in head.model.roles.items() if found}
    print(f"{given.preset} on {torch.cuda.get_device_name() if gpu else 'the CPU'}: {counts}")
    print(f"build      {time.perf_counter() - start_s:6.1f} s", flush=True)
    (answer,) = head.predict_many(draw(1), limits=Limits(load.reply_tokens))
    print("answer    ", {part: round(seconds, 2) for part, seconds in answer.timing_s.items()}, "seconds")
    architecture = architectures[given.preset]
    compare("inference", peak_bytes(gpu, before), inference(architecture, "bf16", load))
    if given.train:
        (stage,) = stages[given.preset]
        train(head, stages[given.preset], draw)
        plan = training(architecture, "bf16", replace(load, batch=stage.batch_size), rank=int((stage.lora or {})["r"]))
        compare("training", peak_bytes(gpu, before), plan)
