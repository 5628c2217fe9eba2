"""Train the tiny PurrSight head from scratch, as it is shipped, and measure it; prints the seconds of each part."""

from __future__ import annotations

import argparse
from pathlib import Path

from _measured import timed

SAMPLES = 16_000
SEED = 2


def main() -> None:
    """Draw, train, measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", type=Path, default=Path("retrained"), help="a new folder for samples and checkpoint")
    folder: Path = parser.parse_args().o
    samples, head, cache = (str(folder / name) for name in ("samples", "tiny", "cache"))
    vlmkit = ("-m", "vlmkit")
    spent_s = timed("synth", *vlmkit, "synth", "purrsight", "-n", str(SAMPLES), "--seed", str(SEED), "-o", samples)
    trained = ("train", "purrsight", "--preset", "tiny", "--weights", "random", "--data", samples, "--cache", cache)
    spent_s += timed("train", *vlmkit, *trained, "-o", head)
    print(f"from scratch in {spent_s / 60:.1f} minutes", flush=True)
    timed("measure", str(Path(__file__).with_name("purrsight_tiny.py")), "--model", head)


if __name__ == "__main__":
    main()
