"""The films below a folder, found by what annotations call them. Nothing outside the folder is ever opened."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

FILMS = frozenset({".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v"})
_ENDINGS = ("", "_annotation", "_annotations")  # of annotation files that are called like their film


class AmbiguousError(Exception):
    """Several films that may be meant."""


def files_below(folder: Path, suffixes: frozenset[str]) -> list[Path]:
    """Files with one of these endings in a folder and below, sorted; hidden ones, and links that leave it, left out."""
    top, found = folder.resolve(), []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(parent) / name
            if path.suffix.lower() in suffixes and not name.startswith(".") and path.resolve().is_relative_to(top):
                found.append(path)
    return sorted(found)


class Films:
    """What lies below a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths = files_below(folder, FILMS)
        self._known = {os.path.normpath(path): path for path in self.paths}
        self._named: dict[str, list[Path]] = defaultdict(list)
        self._stems: dict[str, list[Path]] = defaultdict(list)
        for path in self.paths:
            self._named[path.name].append(path)
            self._stems[path.stem].append(path)

    def called(self, name: str, near: Path) -> Path | None:
        """The film that a row calls `name`; None where there is none.

        A path is read from the annotation file's folder `near`, then from the data folder. Paths of another machine are
        told by their last parts, as far as these are of one film only; else `AmbiguousError`.
        """
        parts = [part for part in PurePosixPath(name.replace("\\", "/")).parts if part != "/"]
        for top in (near, self.folder):
            found = self._known.get(os.path.normpath(top.joinpath(*parts)))
            if found is not None and parts:
                return found
        return self._best(self._named.get(parts[-1], ()) if parts else (), parts)

    def like(self, file: Path) -> Path | None:
        """The film that an annotation file is called like, beside it or in a folder of the same name; or None.

        Raises `AmbiguousError` for several.
        """
        names = [file.stem.removesuffix(ending) for ending in _ENDINGS if file.stem.endswith(ending)]
        for name in names:
            paths = self._named.get(name) or self._stems.get(name) or []
            beside = [path for path in paths if path.parent == file.parent]
            if paths:
                return self._best(beside or paths, [*self._relative(file).parent.parts, ""], folders=True)
        return None

    def name_of(self, film: Path) -> str:
        """A name that no other film here has: the file's without its ending, else its path in the folder."""
        return film.stem if len(self._stems[film.stem]) == 1 else self._relative(film).as_posix()

    def _relative(self, path: Path) -> Path:
        return path.relative_to(self.folder)

    def _best(self, paths: Sequence[Path], parts: Sequence[str], *, folders: bool = False) -> Path | None:
        if not paths:
            return None
        shared = [_shared(self._relative(path).parts, parts, skip=folders) for path in paths]
        best = [path for path, n in zip(paths, shared, strict=True) if n == max(shared)]
        if len(best) > 1:
            raise AmbiguousError(", ".join(self._relative(path).as_posix() for path in best[:4]))
        return best[0]


def _shared(one: Sequence[str], other: Sequence[str], *, skip: bool) -> int:
    """How many last parts of two paths are equal; with `skip` but for the very last."""
    pairs = zip(reversed(one[:-1] if skip else one), reversed(other[:-1] if skip else other), strict=False)
    n = 0
    for a, b in pairs:
        if a != b:
            break
        n += 1
    return n
