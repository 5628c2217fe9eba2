"""Annotation files to checked samples: what cannot be used is listed with its place and reason, never dropped.

Read are folders and single files of the shapes in rows.py. Films are measured, and nothing is invented: an event
without an end has none, one outside its film stays outside, and a clip that lost an event has no truth to learn from.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlmkit.errors import DataError, MediaError
from vlmkit.grouping import contents, groups
from vlmkit.media import length_s
from vlmkit.types import Clip, Sample
from vlmkit_plugins.football.films import AmbiguousError, Films, files_below
from vlmkit_plugins.football.rows import Excluded, Row, read_file
from vlmkit_plugins.football.schema import Events, events_of
from vlmkit_plugins.football.written import Written, read_event

log = logging.getLogger("vlmkit")

LATE_INSTANT_S = (2.0, 6.0)
"""Seconds before and after the moment of an event without length, as programs of the later data widened it."""
_SUFFIXES = frozenset({".json", ".jsonl"})
_FOREIGN = frozenset({"not_annotations", "prediction", "no_annotation"})  # codes of what is no annotation


@dataclass(frozen=True)
class Loaded:
    """What annotation files hold.

    Attributes:
        samples: with truth, in the order of files and rows.
        excluded: all that is no part of them: rows, events, and films that no row is about.
        conflicts: ids of samples whose films are the same, byte for byte, and whose truths are not.
    """

    name: str
    samples: tuple[Sample, ...]
    excluded: tuple[Excluded, ...] = ()
    conflicts: tuple[tuple[str, ...], ...] = ()

    @property
    def counts(self) -> Mapping[str, int]:
        """How many were excluded, by the code of the reason, the most frequent first."""
        return dict(Counter(one.code for one in self.excluded).most_common())

    @property
    def summary(self) -> str:
        """One line of counts."""
        empty = sum(not len(sample.truth or ()) for sample in self.samples)
        told = ", ".join(f"{code} {n}" for code, n in self.counts.items()) or "none"
        return (
            f"{self.name}: {len(self.samples)} samples, {empty} of them without an event; excluded: {told}; "
            f"equal films with different truths: {len(self.conflicts)}"
        )

    @property
    def annotated(self) -> bool:
        """Whether any file was about what happens in a film, readable or not."""
        return bool(self.samples) or any(one.code not in _FOREIGN for one in self.excluded)

    def report(self) -> str:
        """The counts, then every exclusion and every conflict, a line each."""
        films = [f"conflict: equal films, different truths: {', '.join(ids)}" for ids in self.conflicts]
        return "\n".join([self.summary, *map(str, self.excluded), *films])


def load(
    path: Path,
    *,
    root: Path | None = None,
    instant: tuple[float, float] | None = None,
    partial: bool = False,
    source: Callable[[Path], str | None] | None = None,
) -> Loaded:
    """Read one annotation file, or all below a folder.

    A sample's `meta` has `annotation`, its file; `video_s`, the film's measured length; `details`, what else was
    written, an object an event; `row`, what else the row says; and `widened`, places of events that `instant` gave a
    length. Events are in the order of their times. The log has the counts, once.

    Args:
        root: where the films are: the folder itself, or the file's; nothing outside it is opened.
        instant: seconds before and after the moment of an event that has one time and no length. Without it such
            events are excluded, for their times are not known.
        partial: keep clips of which some events were excluded, with the others as their truth. A head that learns from
            them learns to be silent where something happens.
        source: the match, or the longer film, that a film is cut from; for `meta["source"]`, where rows do not say.

    Raises `MediaError` for a path that is missing; `DataError` for lengths that are none.
    """
    path = Path(path)
    if not path.exists():
        raise MediaError(str(path), "missing", "no such file or folder of annotations")
    if instant is not None and not (min(instant) >= 0 and 0 < sum(instant) < float("inf")):
        raise DataError(f"instant: wanted seconds before and after, not both 0; given {instant}")
    folder = Path(root) if root is not None else path if path.is_dir() else path.parent
    reader = _Reader(Films(folder), instant, partial, source)
    files = files_below(path, _SUFFIXES) if path.is_dir() else [path]
    for file in files:
        reader.read(file, file.relative_to(path).as_posix() if path.is_dir() else file.name)
    loaded = reader.loaded(str(path))
    if loaded.annotated and (loaded.excluded or loaded.conflicts):
        log.warning("%s; annotations.load(...).report() lists them", loaded.summary)
    return loaded


class _Reader:
    def __init__(
        self,
        films: Films,
        instant: tuple[float, float] | None,
        partial: bool,
        source: Callable[[Path], str | None] | None,
    ) -> None:
        self.films, self.instant, self.partial, self.source = films, instant, partial, source
        self.found: list[tuple[str, Sample, Path]] = []
        self.excluded: list[Excluded] = []
        self.seen: set[Path] = set()
        self.lengths: dict[Path, float | MediaError] = {}

    def read(self, file: Path, name: str) -> None:
        for row in read_file(file, name):
            if isinstance(row, Excluded):
                self.excluded.append(row)
            else:
                self._row(row, file, name)

    def loaded(self, name: str) -> Loaded:
        kept = self._one_a_film()
        for path in self.films.paths:
            if path not in self.seen:
                where = path.relative_to(self.films.folder).as_posix()
                self.excluded.append(Excluded(where, "no_annotation", "no row is about this film"))
        return Loaded(name, tuple(kept), tuple(self.excluded), conflicts(kept))

    def _row(self, row: Row, file: Path, name: str) -> None:
        film = self._film(row, file)
        if film is None:
            return
        self.seen.add(film)
        video_s = self._length(film)
        if isinstance(video_s, MediaError):
            self.excluded.append(Excluded(row.where, "unreadable_film", str(video_s)))
            return
        read = [read_event(raw, where, video_s, self.instant) for where, raw in row.events]
        bad = [one for one in read if isinstance(one, Excluded)]
        self.excluded += bad
        good = self._distinct(row, read)
        if bad and not (self.partial and good):
            what = "all its events were excluded" if not good else f"{len(bad)} of its {len(read)} events were excluded"
            self.excluded.append(Excluded(row.where, "incomplete_clip", f"{what}, so what is true of it is not known"))
            return
        truth, meta = _truth(good), _meta(row, good, name, video_s)
        if self.source is not None and "source" not in meta and (source := self.source(film)) is not None:
            meta["source"] = source
        sample = Sample(row.id or self.films.name_of(film), {"video": Clip(film)}, truth=truth, meta=meta)
        self.found.append((row.where, sample, film))

    def _film(self, row: Row, file: Path) -> Path | None:
        try:
            film = self.films.like(file) if row.film is None else self.films.called(row.film, file.parent)
        except AmbiguousError as error:
            self.excluded.append(Excluded(row.where, "ambiguous_film", f"{row.film or file.stem!r} may be: {error}"))
            return None
        if film is None:
            what = f"no film is called like {file.stem!r}" if row.film is None else f"there is no {row.film!r}"
            self.excluded.append(Excluded(row.where, "no_film", f"{what} in {self.films.folder}"))
        return film

    def _length(self, film: Path) -> float | MediaError:
        if film not in self.lengths:
            try:
                self.lengths[film] = length_s(Clip(film))
            except MediaError as error:
                self.lengths[film] = error
        return self.lengths[film]

    def _distinct(self, row: Row, read: Sequence[Written | Excluded]) -> list[Written]:
        """In the order of times; of events that are written twice, one."""
        kept: list[Written] = []
        for (where, _), one in zip(row.events, read, strict=True):
            if isinstance(one, Excluded):
                continue
            if any(one.event == other.event for other in kept):
                self.excluded.append(Excluded(where, "duplicate_event", "the same event stands before it"))
            else:
                kept.append(one)
        return sorted(kept, key=lambda one: (one.event.start_s, one.event.end_s))

    def _one_a_film(self) -> list[Sample]:
        """The samples, each about a film of its own and by a name of its own."""
        rows: dict[Path, list[tuple[str, Sample]]] = defaultdict(list)
        for where, sample, film in self.found:
            rows[film].append((where, sample))
        kept, names = [], set[str]()
        for where, sample, film in self.found:
            others = [(place, other.truth) for place, other in rows[film] if place != where or other is not sample]
            if differing := [place for place, truth in others if truth != sample.truth]:
                text = f"{', '.join(differing[:3])} says something else about the same film"
                self.excluded.append(Excluded(where, "contradicting_rows", text))
            elif rows[film][0][1] is not sample:
                text = f"{rows[film][0][0]} says the same about the same film"
                self.excluded.append(Excluded(where, "duplicate_row", text))
            elif sample.id in names:
                self.excluded.append(Excluded(where, "duplicate_id", f"{sample.id!r} stands before it"))
            else:
                names.add(sample.id)
                kept.append(sample)
        return kept


def conflicts(samples: Sequence[Sample]) -> tuple[tuple[str, ...], ...]:
    """Ids of samples whose films are equal in content, and whose truths are not: nobody can tell them apart."""
    known = [sample for sample in samples if sample.truth is not None]
    found = []
    for places in groups(contents(known)):
        if any(_told(known[place].truth) != _told(known[places[0]].truth) for place in places):
            found.append(tuple(known[place].id for place in places))
    return tuple(found)


def _told(truth: Any) -> list[tuple[str, str, str]]:
    return sorted((one.event, one.start_time, one.end_time) for one in truth.root)


def _truth(good: Iterable[Written]) -> Events:
    return events_of([one.event for one in good])


def _meta(row: Row, good: Sequence[Written], name: str, video_s: float) -> dict[str, Any]:
    meta = {**row.meta, "annotation": name, "video_s": video_s}
    if any(one.extra for one in good):
        meta["details"] = [dict(one.extra) for one in good]
    if widened := [place for place, one in enumerate(good) if one.widened]:
        meta["widened"] = widened
    return meta
