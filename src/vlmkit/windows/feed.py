"""Samples in, batches of what a model is asked out: short samples as they are, long films by their windows."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from vlmkit.errors import MediaError
from vlmkit.media.session import Session, lasts_longer
from vlmkit.media.slicer import Plan, Slice
from vlmkit.prepared import Prepared
from vlmkit.task import Windowing
from vlmkit.types import Clip, Prediction, Sample
from vlmkit.windows.joined import Answer, joined

T = TypeVar("T")

_EXPECTED = frozenset({"window_partial"})  # the last window of a film, and those around its gaps, end where they do


@dataclass(frozen=True)
class Progress:
    """How far a head is with one film: windows that are answered, and about how many there are, if that is known."""

    sample_id: str
    done: int
    total: int | None


@dataclass(frozen=True)
class Unit(Generic[T]):
    """One question, or the end of a film.

    Attributes:
        prepared: None at the end of a film.
        film: the film that it is a window of; None for a sample that is asked about as a whole.
        window: which part of the film that is.
    """

    sample: Sample
    prepared: Future[Prepared] | None
    film: Film[T] | None = None
    window: Slice | None = None


class Film(Generic[T]):
    """A long film: its windows, decoded and prepared ahead in a thread, and the answers about them."""

    def __init__(
        self,
        sample: Sample,
        clip: Clip,
        plan: Plan,
        windowing: Windowing[T],
        prepare: Callable[[Sample], Prepared],
        ahead: int,
    ) -> None:
        self.sample = sample
        self._windowing = windowing
        self._prepare = prepare
        self._session = Session(clip, plan)
        self._answers: list[Answer[T]] = []
        self._windows = self._prepared()
        self._reader = ThreadPoolExecutor(1, "vlmkit-film")
        self._waiting = deque(self._reader.submit(next, self._windows, None) for _ in range(ahead))

    @property
    def progress(self) -> Progress:
        """How far it is."""
        done, total = len(self._answers), self._session.windows()
        return Progress(self.sample.id, done, None if total is None else max(total, done))

    def take(self) -> Unit[T]:
        """The next window; at the end of the film, and then for ever, a unit without a question."""
        window = self._waiting[0].result()
        if window is None:
            return Unit(self.sample, None, self)
        self._waiting.popleft()
        self._waiting.append(self._reader.submit(next, self._windows, None))
        one, prepared = window
        done: Future[Prepared] = Future()
        done.set_result(prepared)
        return Unit(self.sample, done, self if one else None, one)

    def add(self, window: Slice, prediction: Prediction[T]) -> None:
        """Keep the answer about a window, with what is odd about the window itself."""
        notes = tuple(note for note in window.notes if note.code not in _EXPECTED)
        found = replace(prediction, problems=(*notes, *prediction.problems))
        self._answers.append(Answer(window.start_s, window.end_s, found))

    def joined(self) -> Prediction[T] | None:
        """The answer about the film; None where it was asked about as a whole."""
        if not self._answers:
            return None
        return joined(self.sample, self._windowing, self._answers, self._session.notes)

    def close(self) -> None:
        """Stop reading."""
        self._reader.shutdown(cancel_futures=True)
        self._windows.close()

    def _prepared(self) -> Generator[tuple[Slice | None, Prepared]]:
        """Windows; the sample as it is where there is one at most, because its header claimed too much."""
        slices = self._session.slices()
        try:
            first = next(slices, None)
            second = next(slices, None)
        except MediaError:  # it cannot be read at all: said as it is of any film
            first = second = None
        if first is None or (second is None and {note.code for note in self._session.notes} <= {"header_lies"}):
            yield None, self._prepare(self.sample)
            return
        for window in (first, second):
            if window is not None:
                yield self._asked(window)
        for window in slices:
            yield self._asked(window)

    def _asked(self, window: Slice) -> tuple[Slice, Prepared]:
        meta = {**self.sample.meta, "start_s": window.start_s, "end_s": window.end_s}
        name = f"{self.sample.id}@{window.start_s:.3f}"
        return window, self._prepare(Sample(name, window.media, self.sample.text, meta=meta))


class Feed(Generic[T]):
    """Batches of questions about samples, in their order; those of the next batch are decoded ahead.

    Args:
        check: raises for a sample that cannot be asked about at all.
        windowing: how long films are cut; None where they are not. plan: of such a window.
    """

    def __init__(
        self,
        samples: Iterator[Sample],
        prepare: Callable[[Sample], Prepared],
        check: Callable[[Sample], None],
        batch_size: int,
        windowing: Windowing[T] | None = None,
        plan: Plan | None = None,
    ) -> None:
        self._rest, self._prepare, self._check = samples, prepare, check
        self._n = batch_size
        self._windowing, self._plan = windowing, plan
        self._pool = ThreadPoolExecutor(2, "vlmkit-decode")  # PyAV decodes outside the GIL
        self._waiting: deque[Unit[T] | Film[T]] = deque()
        self._over = False
        self.stopped_by: Exception | None = None
        """What ended the samples early; the answers before it are given first."""

    def take(self) -> list[Unit[T]]:
        """The next batch: `batch_size` questions at most, and the ends of films between them. Empty at the end."""
        units: list[Unit[T]] = []
        asked = 0
        while asked < self._n and (self._waiting or self._start()):
            one = self._waiting[0]
            unit = one.take() if isinstance(one, Film) else one
            if isinstance(one, Film) and unit.prepared is None:
                one.close()
            if not isinstance(one, Film) or unit.prepared is None:
                self._waiting.popleft()
            units.append(unit)
            asked += unit.prepared is not None
        while len(self._waiting) < self._n and not any(isinstance(one, Film) for one in self._waiting):
            if not self._start():
                break
        return units

    def close(self) -> None:
        """Stop reading."""
        self._pool.shutdown(cancel_futures=True)
        for one in self._waiting:
            if isinstance(one, Film):
                one.close()

    def _start(self) -> bool:
        """Set another sample on its way; False where there is none."""
        if self._over:
            return False
        try:
            sample = next(self._rest, None)
            if sample is not None:
                self._check(sample)
        except Exception as error:  # the caller's iterator may raise anything; it is raised again in its turn
            self.stopped_by, sample = error, None
        if sample is None:
            self._over = True
            return False
        self._waiting.append(self._film(sample) or Unit(sample, self._pool.submit(self._prepare, sample)))
        return True

    def _film(self, sample: Sample) -> Film[T] | None:
        clip = sample.media.get("video")
        if self._windowing is None or self._plan is None or not isinstance(clip, Clip) or len(sample.media) > 1:
            return None
        if not lasts_longer(clip, self._windowing.window_s):
            return None
        return Film(sample, clip, self._plan, self._windowing, self._prepare, self._n)
