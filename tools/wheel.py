"""Checks that a wheel holds every file of the source packages: `python tools/wheel.py dist/vlmkit-….whl`."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src"


def missing(wheel: Path) -> list[str]:
    """Source and data files that the wheel lacks."""
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    files = (p.relative_to(SOURCE) for p in SOURCE.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    return sorted(f.as_posix() for f in files if f.as_posix() not in inside)


if __name__ == "__main__":
    lost = missing(Path(sys.argv[1]))
    print("\n".join(f"not in the wheel: {name}" for name in lost) or f"{sys.argv[1]}: complete")
    sys.exit(bool(lost))
