"""A head that answers what a test told it to answer.

>>> head = FakeHead()
>>> head.enqueue(Colour("red", 12))
>>> head.predict(text="a red film", id="a").value
Colour(name='red', frame=12)
>>> [sample.id for sample in head.history]
['a']
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vlmkit.errors import VlmkitError
from vlmkit.evaluate import Report, evaluate
from vlmkit.plugins import Entry, Installed, Plugin, Registry
from vlmkit.task import Task
from vlmkit.testing.colours import COLOURS, Colour, ColourDecoder, colours
from vlmkit.types import Clip, Image, Media, Modality, Prediction, Problem, Sample, Sound

__all__ = ["COLOURS", "Colour", "ColourDecoder", "FakeHead", "colours", "installed", "loader"]


class FakeHead:
    """Like `vlmkit.head.Head`, without a model: replies come from a queue.

    Attributes:
        history: every sample that it was asked about, in order.
        saved, merged: what was asked of it.
        known: what `familiar` says of any samples.
    """

    def __init__(self, task: Task[Any] | None = None) -> None:
        self.task: Task[Any] = colours() if task is None else task
        self.provenance: Mapping[str, Any] = {"preset": "tiny", "synthetic": True}
        self.history: list[Sample] = []
        self.saved: list[Path] = []
        self.merged = False
        self.known: tuple[str, ...] = ()
        self._replies: deque[Any] = deque()

    def enqueue(self, *replies: Any) -> None:
        """Answers for the next samples: a value of the task, or a `Problem` that takes the value's place."""
        self._replies.extend(replies)

    def predict(
        self,
        *,
        video: str | Path | None = None,
        image: str | Path | None = None,
        audio: str | Path | None = None,
        text: str | None = None,
        id: str | None = None,
    ) -> Prediction[Any]:
        """The next reply."""
        media: dict[Modality, Media] = {}
        if video is not None:
            media["video"] = Clip(video)
        if image is not None:
            media["image"] = Image(image)
        if audio is not None:
            media["audio"] = Sound(audio)
        return self._answer(Sample(id or "sample", media, text))

    def predict_many(self, samples: Iterable[Sample], batch_size: int = 8) -> Iterator[Prediction[Any]]:
        """One reply a sample, in order."""
        for sample in samples:
            yield self._answer(sample)

    def evaluate(self, data: str | Path, batch_size: int = 8) -> Report:
        """Score the replies on a folder that the task can read."""
        samples = list(self.task.read(Path(data)))
        return evaluate(self.task, samples, self.predict_many(samples, batch_size), model="fake", data=str(data))

    def familiar(self, samples: Sequence[Sample]) -> tuple[str, ...] | None:
        """`known`."""
        del samples
        return self.known

    def save_pretrained(self, directory: str | Path) -> None:
        """Remember the directory; nothing is written."""
        self.saved.append(Path(directory))

    def merge_adapter(self) -> None:
        """Remember that it was asked for."""
        self.merged = True

    def _answer(self, sample: Sample) -> Prediction[Any]:
        self.history.append(sample)
        for modality, media in sample.media.items():
            if isinstance(media.source, str | Path) and not Path(media.source).exists():
                problem = Problem("media_missing", f"{media.name}: no such file", modality, fatal=True)
                return Prediction(sample.id, None, (problem,))
        if not self._replies:
            raise VlmkitError(f"the fake head has no reply for {sample.id!r}; enqueue one a sample")
        reply = self._replies.popleft()
        used = tuple(sample.media)
        if isinstance(reply, Problem):
            return Prediction(sample.id, None, (reply,), used=used, provenance=self.provenance)
        return Prediction(sample.id, reply, used=used, provenance=self.provenance)


def installed(*factories: str, broken: Mapping[str, str] | None = None) -> Installed:
    """What `vlmkit.plugins.installed` gives, for these task factories (`"package.module:factory"`) alone.

    A task is registered under the factory's own name. `broken` adds plugins that failed to load, with the reason.
    """
    registry = Registry()
    for factory in factories or ("vlmkit.testing.colours:colours",):
        name = factory.rpartition(":")[2]
        registry.add("tasks", Entry(name, factory, f"the fake task {name}", provider="fake"))
    failed = tuple(Plugin(name, "broken-package", "0", error) for name, error in (broken or {}).items())
    return Installed(registry, (Plugin("fake", "vlmkit", "0"), *failed))


def loader(head: FakeHead, calls: list[dict[str, Any]]) -> Callable[..., FakeHead]:
    """A stand-in for `vlmkit.load`: always this head; what it was called with is added to `calls`."""

    def load(name: str, **keywords: Any) -> FakeHead:
        calls.append({"name": name, **keywords})
        return head

    return load
