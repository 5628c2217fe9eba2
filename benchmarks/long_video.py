"""A match of any length through football's tiny head: peak memory against length, and seconds a minute of film.

Matches are drawn with a clip every 45 seconds and play between them; no training used their seed. Each is read in a
process of its own, once from start to end, and asked about in batches of windows. Memory is the largest resident size
of that process: it holds Python, torch and the weights, too, so read how it grows. Processor time of all threads tells
more than the clock on a busy machine. F1 is over the events of the match at a tIoU of at least .5.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from _measured import machine

SEED = 2_026_000
EVERY_S, LONGEST_S = 45, 31
NAMES = ("minutes", "MiB on disk", "windows", "peak, MiB", "of it loaded", "s a minute", "CPU s a minute", "F1@0.5")


def drawn(folder: Path, minutes: float) -> tuple[Path, list[dict[str, Any]]]:
    """A match and its truth, drawn and written frame by frame."""
    from vlmkit_plugins.football.session import session

    seconds = round(60 * minutes)
    path = folder / f"match_{seconds}.mp4"
    clips = {at: (SEED, k) for k, at in enumerate(range(10, seconds - LONGEST_S, EVERY_S))}
    return path, session(path, seconds, SEED, clips).model_dump(mode="json")


def measured(path: Path, truth: Path, batch: int, threads: int) -> dict[str, Any]:
    """What one pass over a film takes; called in a process that does nothing else."""
    import torch

    import vlmkit
    from vlmkit.types import Clip, Sample
    from vlmkit_plugins.football.metrics import combine, counts
    from vlmkit_plugins.football.schema import parse_events

    torch.set_num_threads(threads)
    head = vlmkit.load("football", preset="tiny", device="cpu")
    loaded = _peak_mib()
    begin_s, cpu_s = time.perf_counter(), time.process_time()
    [found] = head.predict_many([Sample("match", {"video": Clip(path)})], batch)
    took = {"seconds": time.perf_counter() - begin_s, "cpu": time.process_time() - cpu_s}
    peak = _peak_mib()
    events = parse_events(json.loads(truth.read_text(encoding="utf-8")), "truth")
    f1 = combine(counts(events, found.value))["F1@0.5"]
    windows = len(found.provenance.get("windows", [None]))
    return {**took, "loaded": loaded, "peak": peak, "windows": windows, "f1": f1, "n": len(events)}


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # Linux counts in KiB


def main() -> None:
    """Draw, measure each length, and print one line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, nargs="+", default=[1, 10, 90], help="lengths (default 1 10 90)")
    parser.add_argument("--batch", type=int, default=8, help="windows that are asked about together (default 8)")
    parser.add_argument("--threads", type=int, default=1, help="of torch (default 1)")
    parser.add_argument("--one", type=Path, nargs=2, metavar=("FILM", "TRUTH"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measured(*given.one, given.batch, given.threads)))
        return
    print(f"{machine('av')}; {given.threads} threads, batches of {given.batch}")
    print("".join(f"{name:>16}" for name in NAMES))
    with tempfile.TemporaryDirectory() as folder:
        for minutes in given.minutes:
            path, events = drawn(Path(folder), minutes)
            truth = path.with_suffix(".json")
            truth.write_text(json.dumps(events), encoding="utf-8")
            command = [sys.executable, __file__, "--batch", str(given.batch), "--threads", str(given.threads)]
            done = subprocess.run([*command, "--one", path, truth], check=True, capture_output=True, text=True)
            one = json.loads(done.stdout)
            figures = (minutes, path.stat().st_size / 2**20, one["windows"], one["peak"], one["loaded"])
            rates = (one["seconds"] / minutes, one["cpu"] / minutes, one["f1"])
            shown = "{:>16g}{:>16.1f}{:>16d}{:>16.0f}{:>16.0f}{:>16.2f}{:>16.2f}{:>16.3f}"
            print(shown.format(*figures, *rates), flush=True)
            path.unlink()


if __name__ == "__main__":
    main()
