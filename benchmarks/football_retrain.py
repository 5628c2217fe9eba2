"""Train the tiny football head from scratch, as it is shipped, and measure it; prints the seconds of each part."""

from __future__ import annotations

import argparse
from pathlib import Path

from _measured import timed

CLIPS = 4500
SEED = 11


def main() -> None:
    """Draw, train, measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", type=Path, default=Path("retrained"), help="a new folder for clips and checkpoint")
    folder: Path = parser.parse_args().o
    clips, head = str(folder / "clips"), str(folder / "tiny")
    vlmkit = ("-m", "vlmkit")
    spent_s = timed("synth", *vlmkit, "synth", "football", "-n", str(CLIPS), "--seed", str(SEED), "-o", clips)
    spent_s += timed(
        "train", *vlmkit, "train", "football", "--preset", "tiny", "--weights", "random", "--data", clips, "-o", head
    )
    print(f"from scratch in {spent_s / 60:.1f} minutes", flush=True)
    timed("measure", str(Path(__file__).with_name("football_tiny.py")), "--model", head)


if __name__ == "__main__":
    main()
