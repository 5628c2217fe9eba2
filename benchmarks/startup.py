"""How long it takes to import vlmkit, to ask for help and to list tasks.

Prints the best of several fresh interpreters: the rest of the machine can only add to a time. Never a test.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version

IMPORT_LIMIT_MS = 60.0
HELP_LIMIT_S = 0.4


def import_ms() -> tuple[float, float]:
    """Self and cumulative time of `import vlmkit`, as `python -X importtime` prints them."""
    command = [sys.executable, "-X", "importtime", "-c", "import vlmkit"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stderr.splitlines()
    (line,) = [line for line in lines if line.rpartition("|")[2].strip() == "vlmkit"]
    own_us, cumulative_us, _ = line.removeprefix("import time:").split("|")
    return int(own_us) / 1000, int(cumulative_us) / 1000


def wall_s(*arguments: str) -> float:
    """Seconds that `python -m vlmkit` takes with these arguments, from start to end of the process."""
    begin_s = time.perf_counter()
    subprocess.run([sys.executable, "-m", "vlmkit", *arguments], capture_output=True, check=True)
    return time.perf_counter() - begin_s


def line(what: str, found: float, unit: str, limit: float | None) -> str:
    """One figure beside its limit."""
    digits = 1 if unit == "ms" else 3
    beside = "" if limit is None else f"   limit {limit:g} {unit}: {'kept' if found < limit else 'BROKEN'}"
    return f"{what:<42}{found:>8.{digits}f} {unit}{beside}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7, help="interpreters a figure (default 7)")
    runs = range(parser.parse_args().runs)
    packages = []
    for name in ("vlmkit", "typer", "pluggy"):
        try:
            packages.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            packages.append(f"{name} from its source")
    print(f"{platform.platform()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"Python {platform.python_version()}, {', '.join(packages)}; best of {len(runs)}")
    own_ms, cumulative_ms = min((import_ms() for _ in runs), key=lambda pair: pair[1])
    print(line("import vlmkit, itself", own_ms, "ms", None))
    print(line("import vlmkit, with all that it imports", cumulative_ms, "ms", IMPORT_LIMIT_MS))
    print(line("vlmkit --help", min(wall_s("--help") for _ in runs), "s", HELP_LIMIT_S))
    print(line("vlmkit tasks", min(wall_s("tasks") for _ in runs), "s", None))


if __name__ == "__main__":
    main()
