"""How right the tiny football head is on 200 fresh synthetic clips, beside answers that never look.

The clips are drawn with a seed that no training used. An event is found when an answered one of its class overlaps it
by half or more of their union; times are whole seconds, in the truth as in the answer.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from _measured import evaluated, kept, machine

SEED = 987_654
LIMITS = {"F1@0.5": 0.85, "empty_right": 0.95}
ERROR_S = 0.5
REFUSED = ("not_json", "not_schema", "truncated", "missing_field", "unknown_field")


def main() -> None:
    """Measure the shipped head, or a checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="a checkpoint instead of the shipped head")
    parser.add_argument("-n", type=int, default=200, help="clips (default 200)")
    parser.add_argument("--seed", type=int, default=SEED, help=f"of the clips (default {SEED})")
    given = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        found = evaluated("football", Path(folder), given.model, given.n, given.seed)
    good = kept(found, LIMITS)
    for name in ("start_error_s", "end_error_s"):
        value = found["metrics"][name]
        print(f"{name}: {value:.3f} s, wanted at most {ERROR_S}: {'kept' if value <= ERROR_S else 'BROKEN'}")
        good = good and value <= ERROR_S
    refused = sum(n for code, n in found["failures"].items() if code in REFUSED) + len(found["missing"])
    print(f"replies without an answer: {refused} of {found['n']}, wanted none")
    raise SystemExit(not good or refused > 0)


if __name__ == "__main__":
    main()
