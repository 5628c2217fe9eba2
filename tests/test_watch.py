"""A head that watches: one answer a window, from whatever the task reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn

from tests.media.films import faststart, film, written
from tests.media.sounds import noise, sounding_film
from tests.media.watched import SPEC, film_of
from vlmkit.errors import MediaError, VlmkitError
from vlmkit.head import Head
from vlmkit.media import AudioSpec, open_audio, open_video
from vlmkit.model import Model
from vlmkit.projectors.identity import Identity
from vlmkit.testing.colours import colours
from vlmkit.types import Batch, Clip, Features, Inputs, Modality, Prediction, Sample, Sound

_HEARD = AudioSpec(rate_hz=16_000, window_s=0.5)


class _Senses:
    """One row a frame, or a sound: how bright or how long it is."""

    dim = 1

    def __init__(self, modality: Modality) -> None:
        self.modalities: frozenset[Modality] = frozenset({modality})
        self.reads = self.modalities
        self.module: nn.Module = nn.Linear(1, 1)
        told = SPEC.to_json() if modality == "video" else _HEARD.to_json()
        self.spec: Mapping[str, Any] = {modality: {"reading": told}}

    def transform(self, sample: Sample, modality: Modality) -> Inputs | None:
        medium = sample.media.get(modality)
        if isinstance(medium, Clip):
            frames = open_video(medium, SPEC)
            return {modality: torch.tensor(frames.images.mean((1, 2, 3)))[:, None], "notes": frames.notes}
        if isinstance(medium, Sound):
            heard = open_audio(medium, _HEARD)
            return {modality: torch.tensor([[heard.duration_s]]), "notes": heard.notes}
        return None

    def encode(self, batch: Batch) -> dict[Modality, Features]:
        [modality] = self.modalities
        rows = [one.get(modality, torch.zeros(0, 1)) for one in batch.inputs]
        return {modality: Features(torch.cat(rows).float(), tuple(len(one) for one in rows))}


class _Counts:
    """The answer: how many rows there are."""

    reads: Literal["generation", "tokens"] = "tokens"

    def constraint(self, sample: Sample) -> None:
        return None

    def encode(self, value: dict[str, int]) -> str:
        return str(value)

    def decode(self, evidence: Mapping[Modality, Tensor], sample: Sample) -> Prediction[dict[str, int]]:
        return Prediction(sample.id, {modality: len(rows) for modality, rows in evidence.items()})


def head(*modalities: Modality, requires: frozenset[Modality] = frozenset()) -> Head[Any]:
    """A head of a task that reads these, and text."""
    model: Model[Any] = Model(
        encoders=tuple(_Senses(modality) for modality in modalities),
        projector=Identity(frozenset(modalities), 1),
        llm=None,
        decoder=_Counts(),
        prompt=None,
        requires=requires,
    )
    task: Any = replace(colours(), accepts=frozenset({"text", *modalities}), requires=requires)
    return Head(task, model, {"preset": "tiny", "training": []})


def codes(prediction: Prediction[Any]) -> list[str]:
    return [problem.code for problem in prediction.problems]


def test_every_window_has_an_answer(tmp_path: Path) -> None:
    path = written(tmp_path, film_of(), "street.mkv")
    found = list(head("video", "audio").watch(path, window_s=2, text="what is heard?"))
    assert [one.sample_id for one in found] == ["street@0.000", "street@2.000", "street@4.000"]
    assert [one.value for one in found] == [
        {"video": 10, "audio": 1},
        {"video": 10, "audio": 1},
        {"video": 4, "audio": 1},
    ]
    assert [sorted(one.used) for one in found] == [["audio", "video"]] * 3
    assert [codes(one) for one in found] == [[], [], ["window_partial"]]
    windows = [one.provenance["window"] for one in found]
    assert windows == [{"start_s": a, "end_s": b, "source": str(path)} for a, b in ((0, 2), (2, 4), (4, 4.8))]


def test_answers_come_as_the_windows_do(tmp_path: Path) -> None:
    """Those of a film that turns out to be cut short are given before that is said."""
    whole = faststart(150)
    answers = head("video").watch(written(tmp_path, whole[: len(whole) * 6 // 10]), window_s=1)
    assert [next(answers).sample_id for _ in range(2)] == ["film@0.000", "film@1.000"]
    with pytest.raises(MediaError, match="truncated"):
        list(answers)
    overlapping = list(head("video").watch(written(tmp_path, film_of()), window_s=1, step_s=0.5, max_windows=3))
    assert [one.sample_id for one in overlapping] == ["film@0.000", "film@0.500", "film@1.000"]


def test_a_task_without_sound_hears_none(tmp_path: Path) -> None:
    path = written(tmp_path, film_of())
    assert [one.value for one in head("video").watch(path, window_s=4)] == [{"video": 20}, {"video": 4}]
    only = list(head("video", "audio").watch(path, window_s=4, modalities=["audio"]))
    assert [one.used for one in only] == [("audio",), ("audio",)]


def test_what_is_missing_is_said_in_the_answer(tmp_path: Path) -> None:
    silent = written(tmp_path, film(50))
    for one in head("video", "audio").watch(silent, window_s=1):
        assert (one.used, codes(one)) == (("video",), ["no_sound_track"])
    for one in head("video", "audio", requires=frozenset({"audio"})).watch(silent, window_s=1):
        assert one.value is None
        assert codes(one) == ["no_sound_track", "modality_missing"]


def test_what_cannot_be_watched_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VlmkitError, match="does not read audio"):
        head("video").watch("film.mp4", window_s=1, modalities=["audio"])  # at once, before the first answer
    with pytest.raises(VlmkitError, match="window_s=0"):
        head("video").watch("film.mp4", window_s=0)
    with pytest.raises(MediaError, match="only local files are opened"):
        next(head("video").watch("rtsp://camera/1", window_s=1))
    with pytest.raises(MediaError) as caught:
        next(head("video").watch(tmp_path / "none.mp4", window_s=1))
    assert caught.value.reason == "missing"


def test_a_bad_window_spoils_no_other(tmp_path: Path) -> None:
    """Silence is refused where it is the whole window, and nowhere else."""
    samples = noise(4 * 16_000)
    samples[:, 16_000:32_000] = 0
    path = written(tmp_path, sounding_film(100, samples=samples))
    found = list(head("video", "audio").watch(path, window_s=1))
    assert [codes(one) for one in found] == [[], ["media_silent"], [], []]
    assert [sorted(one.used) for one in found] == [
        ["audio", "video"],
        ["video"],
        ["audio", "video"],
        ["audio", "video"],
    ]
