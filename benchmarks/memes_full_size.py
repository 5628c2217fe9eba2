"""The real memes preset with random weights: parameters by role, bytes on disk, memory beside plan, memes a second.

Memory is torch's own peak on a GPU; on a CPU it is how far the process grew after its libraries were imported. Texts
fill the 256 tokens that are read, so that a figure is not that of a short caption. With --train also one optimiser's
step of each stage.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _measured import machine

from vlmkit.loading import open_head
from vlmkit.training.data import prepare
from vlmkit.training.loop import run_stage
from vlmkit.types import Image, Sample
from vlmkit_plugins.memes.plan import (
    EXPERTS_BATCH,
    FROZEN_BATCH,
    answering_bytes,
    experts_bytes,
    fusion_bytes,
    parameters,
)
from vlmkit_plugins.memes.schema import Labels, truth
from vlmkit_plugins.memes.stages import STAGES

PRESET = "mdeberta-siglip"
SIDE_PX = 512
WORDS = 300  # more than are read


def memes(n: int, given: str) -> list[Sample]:
    """Noise under words, of both classes; what is not `given` is left out."""
    rng = np.random.default_rng(0)
    made = []
    for number in range(n):
        pixels = rng.integers(0, 256, (SIDE_PX, SIDE_PX, 3), dtype=np.uint8)
        text = " ".join("".join(chr(97 + k) for k in rng.integers(0, 26, 5)) for _ in range(WORDS))
        sample = Sample(f"meme{number}", {"image": Image(pixels)}, text, truth(Labels(abuse_hate=number % 2)))  # type: ignore[arg-type]
        sample = replace(sample, text=None) if given == "image" else sample
        made.append(replace(sample, media={}) if given == "text" else sample)
    return made


def grown_bytes() -> int:
    """Largest resident size of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def peak_bytes(gpu: bool, before: int) -> int:
    """What the work since `before` needed at most."""
    return torch.cuda.max_memory_allocated() if gpu else grown_bytes() - before


def compare(what: str, measured: int, planned: int) -> None:
    """Measured beside planned."""
    print(
        f"{what:<26} measured {measured / 1e9:6.2f} GB   plan {planned / 1e9:6.2f} GB   {measured / planned:.2f} x",
        flush=True,
    )


def throughput(head: Any, batch: int, repeats: int) -> None:
    """Memes a second by what is given; medians. Decoding is in it, as it is for a user."""
    for given in ("text", "image", "both"):
        samples = memes(batch, given)
        list(head.predict_many(samples, batch_size=batch))
        seconds = []
        for _ in range(repeats):
            start_s = time.perf_counter()
            answers = list(head.predict_many(samples, batch_size=batch))
            seconds.append(time.perf_counter() - start_s)
        if any(answer.value is None for answer in answers):
            raise SystemExit(f"no answer: {[answer.problems for answer in answers]}")
        model, used = answers[0].value.model, "+".join(answers[0].used)
        rate = batch / statistics.median(seconds)
        print(f"  batch {batch}  {used:<11} {model:<14} {rate:8.2f} memes a second", flush=True)


def disk_bytes(head: Any) -> dict[str, int]:
    """Of a saved head: each file of weights, and all files together."""
    with tempfile.TemporaryDirectory() as folder:
        head.save_pretrained(folder)
        files = [path for path in Path(folder).rglob("*") if path.is_file()]
        found = {path.stem: path.stat().st_size for path in sorted(files) if path.suffix == ".safetensors"}
        return {**found, "all files": sum(path.stat().st_size for path in files)}


def train(head: Any, gpu: bool, before: int, batch: int) -> None:
    """One optimiser's step of the fusion over frozen experts, then one of the experts themselves."""
    experts, fusion = STAGES[PRESET]
    plans = {"fusion": fusion_bytes(), "experts": experts_bytes(batch)}
    for stage in (fusion, replace(experts, batch_size=batch, accumulate=1)):
        rows, _ = prepare(head.model, memes(FROZEN_BATCH if stage is fusion else batch, "both"), [stage])
        with tempfile.TemporaryDirectory() as folder:
            log = run_stage(head.model, rows, replace(stage, evals=0, patience=None), Path(folder), seed=0, max_steps=1)
        print(f"stage {stage.name}: {log.seconds / log.steps:.1f} s a step of {stage.batch_size}")
        compare(f"training, stage {stage.name}", peak_bytes(gpu, before), plans[stage.name])


def main() -> None:
    """Build, count, answer, save, and train a step when asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--train", action="store_true", help="also one step of each stage, in fp32")
    parser.add_argument("--batch", type=int, default=EXPERTS_BATCH, help="of the experts' step")
    given = parser.parse_args()
    print(machine())
    list(open_head("memes", preset="tiny", weights="random").predict_many(memes(2, "both")))  # all imports
    before, start_s = grown_bytes(), time.perf_counter()
    head = open_head("memes", preset=PRESET, weights="random", device=given.device, precision=given.precision)
    weight = next(head.model.encoders[0].module.parameters())
    gpu, precision = weight.is_cuda, "bf16" if weight.dtype == torch.bfloat16 else "fp32"
    where = torch.cuda.get_device_name() if gpu else f"the CPU, {torch.get_num_threads()} threads"
    print(f"{PRESET} on {where}, {precision}; built in {time.perf_counter() - start_s:.1f} s", flush=True)
    counts = {role: sum(p.numel() for p in found.values()) for role, found in head.model.roles.items() if found}
    print(
        f"  {'; '.join(f'{role} {number:,}' for role, number in counts.items())}; plan {sum(parameters().values()):,}"
    )
    for batch in (1, 8):
        throughput(head, batch, given.repeats)
        compare(f"answering, batch {batch}", peak_bytes(gpu, before), answering_bytes(precision, batch))
    for name, size in disk_bytes(head).items():
        print(f"  on disk  {name:<12}{size:>15,} bytes", flush=True)
    if given.train:
        train(head, gpu, before, given.batch)


if __name__ == "__main__":
    main()
