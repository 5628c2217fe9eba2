"""PurrSight on a small machine: bytes on disk, memory, time by stage in fp32, bf16 and int8, and what int8 changes.

All three are timed in turns in one process, so read the ratios. Weights are random where nobody has trained the real
preset: a folder that `vlmkit train` wrote can be given instead. The reply is exactly so many tokens, without a grammar.
Peak memory (Linux) is that of a process of its own for each precision, its libraries included.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from _measured import machine
from _stages import STAGES, stages, worked_samples

from vlmkit.edge import export
from vlmkit.loading import open_head
from vlmkit.task import Precision
from vlmkit_plugins.purrsight.data import read
from vlmkit_plugins.purrsight.head import presets
from vlmkit_plugins.purrsight.synth import synth

PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16", "int8")
GIGABYTE = 10**9


def opened(preset: str, model: Path | None, precision: Precision) -> Any:
    """The head that is measured."""
    which: dict[str, Any] = {"model": model} if model else {"preset": preset, "weights": "random"}
    return open_head("purrsight", **which, device="cpu", precision=precision)


def peak(preset: str, model: Path | None, precision: Precision, exported: Path) -> int:
    """Peak resident bytes of a process that loads the head and answers about one film."""
    source = ["--model", str(exported)] if precision == "int8" else ["--model", str(model)] if model else []
    command = [sys.executable, __file__, "--preset", preset, "--one", precision, *source]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout.splitlines()[-1])


def answer_once(preset: str, model: Path | None, precision: Precision) -> None:
    """What `peak` starts."""
    stages(opened(preset, model, precision), worked_samples()["film with sound"], reply=16, repeats=1)
    # Not ru_maxrss: Linux keeps in it what the parent held when this process was made.
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    print(int(status["VmHWM"].split()[0]) * 1024)


def compare_answers(n: int, folder: Path) -> None:
    """The shipped tiny head on fresh samples: whole answers and single fields, in fp32 and exported."""
    shipped = presets()["tiny"].checkpoint
    if shipped is None or not shipped.is_dir():
        print("  no tiny head is shipped with this checkout")
        return
    head = open_head("purrsight", preset="tiny", device="cpu", precision="fp32")
    synth(folder / "fresh", n, 424_242, 1)
    samples = list(read(folder / "fresh"))
    wanted = [one.value for one in head.predict_many(samples)]
    export(head, folder / "tiny")
    found = [one.value for one in open_head(folder / "tiny").predict_many(samples)]
    pairs = [(a, b) for a, b in zip(wanted, found, strict=True) if a is not None and b is not None]
    fields = [a.fields[name] == b.fields[name] for a, b in pairs for name in a.fields]
    print(f"  {len(pairs)} of {n} answers read in both; the same as a whole: {sum(a == b for a, b in pairs)}")
    print(f"  fields the same: {sum(fields)} of {len(fields)}, {sum(fields) / len(fields):.2%}")


def time_in_turns(heads: dict[str, Any], reply: int, repeats: int) -> None:
    """Medians by stage, one round of each precision after the other."""
    samples = worked_samples()
    print(f"  {'':<16}{'':<7}" + "".join(f"{stage:>13}" for stage in STAGES))
    for name in ("picture", "film with sound"):
        rounds: dict[str, list[dict[str, float]]] = {precision: [] for precision in heads}
        for _ in range(repeats):
            for precision, head in heads.items():
                rounds[precision].append(stages(head, samples[name], reply=reply, repeats=1))
        for precision, found in rounds.items():
            row = [statistics.median(one[stage] for one in found) for stage in STAGES]
            print(f"  {name:<16}{precision:<7}" + "".join(f"{value:>13.1f}" for value in row), flush=True)


def main() -> None:
    """Export, then measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="qwen2.5-0.5b")
    parser.add_argument("--model", type=Path, help="a trained checkpoint in place of random weights")
    parser.add_argument("--reply", type=int, default=80, help="tokens of the timed reply")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--samples", type=int, default=60, help="for the tiny head's answers")
    parser.add_argument("--one", choices=PRECISIONS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        return answer_once(given.preset, given.model, given.one)
    print(machine("timm", "onnxruntime", "onnx"))
    print(f"{torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        heads = {precision: opened(given.preset, given.model, precision) for precision in ("fp32", "bf16")}
        done = export(opened(given.preset, given.model, "fp32"), folder / "exported")
        heads["int8"] = open_head(done.folder)
        print("\nbytes on disk, exported")
        for file, size in done.sizes.items():
            print(f"  {size:>13,}  {file}")
        verdict = "kept" if done.bytes < GIGABYTE else "BROKEN"
        print(f"  {done.bytes:>13,}  together; under {GIGABYTE:,} wanted: {verdict}")
        print("\ndifference from fp32")
        for file, difference in done.encoders.items():
            print(f"  {file}: {difference:.1e} of the largest number")
        print(f"  language model in int8: {done.llm}")
        print(
            f"\nmedian ms of {given.repeats}, in turns; a reply of exactly {given.reply} tokens; int8 has ONNX encoders"
        )
        time_in_turns(heads, given.reply, given.repeats)
        heads.clear()
        print("\npeak memory of loading and answering once, libraries included")
        for precision in PRECISIONS:
            print(
                f"  {precision:<7}{peak(given.preset, given.model, precision, done.folder) / 1e9:6.2f} GB", flush=True
            )
        print("\nanswers of the shipped tiny head, fp32 beside the export")
        compare_answers(given.samples, folder)
    return None


if __name__ == "__main__":
    main()
