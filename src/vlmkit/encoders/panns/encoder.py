"""Cnn14 as an encoder: a sound, or the sound track of a film, to one row a window."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from vlmkit.encoders.panns.frontend import LogMel
from vlmkit.encoders.panns.network import Cnn14
from vlmkit.errors import MediaError, WiringError
from vlmkit.media.audio import open_audio, windows
from vlmkit.media.spec import AudioSpec
from vlmkit.types import Batch, Clip, Features, Inputs, Media, Modality, Problem, Sample, Sound

_AT_ONCE = 16  # windows in one pass: 10 s at 100 frames/s and 64 bands are 16 MB in each map of the widest block


class Panns:
    """One row for each window of a sound.

    A sound of its own wins; without one, the film's sound track is read. A film without a track is no error: there
    are no rows, and a note says `no_sound_track`. Where a sound of its own cannot be used, the film's track is read
    instead, and a note says what is wrong with the sound: `media_…`, which keeps the sample out of training.

    The sound is cut into windows of `audio.window_s`, as `vlmkit.media.audio.windows` does it: nothing is padded,
    nothing is left out.

    Raises `WiringError` for a spec of another sample rate than the network's, or one that lets through sounds that are
    too short for it.
    """

    def __init__(self, network: Cnn14, *, audio: AudioSpec) -> None:
        config = network.config
        if audio.rate_hz != config.rate_hz:
            raise WiringError(
                f"the network was trained on sound of {config.rate_hz} Hz, and the spec asks for {audio.rate_hz} Hz; "
                f"set AudioSpec(rate_hz={config.rate_hz})"
            )
        if audio.min_s < config.min_s:
            raise WiringError(
                f"the network needs {config.min_s:g} s of sound, and the spec lets {audio.min_s:g} s through; set "
                f"AudioSpec(min_s={config.min_s:g}) or more"
            )
        self.audio_spec = audio
        self.modalities: frozenset[Modality] = frozenset({"audio"})
        self.reads: frozenset[Modality] = frozenset({"audio", "video"})
        self.dim = config.dim
        self.module: nn.Module = network
        self.spec: Mapping[str, Any] = {"audio": {"network": config.to_json(), "sound": audio.to_json()}}
        self._mel = LogMel(config)

    def transform(self, sample: Sample, modality: Modality) -> Inputs | None:
        """`windows`: mono float32 samples, and `window_times_s`: their middles on the clock of the sample's media.

        Raises `MediaError` for a sound that cannot be used, where no film's track can be read instead.
        """
        film = sample.media.get("video")
        if "audio" not in sample.media:
            return None if film is None else self._track(film)
        try:
            return self._heard(sample.media["audio"], Sound)
        except MediaError as error:
            try:
                made = self._track(film)
            except MediaError:
                raise error from None  # what is wrong with the film, whoever looks at it says
            if "windows" not in made:
                raise
            note = Problem(f"media_{error.reason}", str(error), "audio")
            return {**made, "notes": (note, *made["notes"])}

    def _track(self, film: Media | None) -> Inputs:
        try:
            return self._heard(film, Clip)
        except MediaError as error:
            if isinstance(film, Clip) and error.reason == "no_stream":
                return {"notes": (Problem("no_sound_track", f"{film.name} has pictures only", "audio"),)}
            raise

    def _heard(self, medium: Media | None, wanted: type[Sound | Clip]) -> Inputs:
        if not isinstance(medium, Sound | Clip) or not isinstance(medium, wanted):
            raise MediaError(str(medium), "not_media", f"a {wanted.__name__} was wanted; given {type(medium).__name__}")
        wave = open_audio(medium, self.audio_spec)
        parts = windows(wave, self.audio_spec.window_s)
        return {
            "windows": [torch.from_numpy(samples) for _, samples in parts],
            "window_times_s": torch.tensor([start_s + len(samples) / 2 / wave.rate_hz for start_s, samples in parts]),
            "notes": wave.notes,
            "facts": {"audio_s": wave.duration_s},
        }

    def encode(self, batch: Batch) -> dict[Modality, Features]:
        """`[n, d]`, one row a window, with its time. A row does not depend on what else is in the batch."""
        weight = next(self.module.parameters())
        lengths = tuple(len(one.get("windows", ())) for one in batch.inputs)
        heard = [window for one in batch.inputs for window in one.get("windows", ())]
        if not heard:
            return {"audio": Features(weight.new_zeros(0, self.dim), lengths)}
        rows: list[Tensor | None] = [None] * len(heard)
        for group in _of_one_length(heard):
            decibels = self._mel(torch.stack([heard[i] for i in group]).to(weight.device))
            pixels = decibels.to(weight.dtype).contiguous(memory_format=torch.channels_last)  # faster, and equal
            for i, row in zip(group, self.module(pixels), strict=True):
                rows[i] = row
        times_s = torch.cat([one["window_times_s"] for one in batch.inputs if one.get("windows")])
        return {"audio": Features(torch.stack([row for row in rows if row is not None]), lengths, times_s=times_s)}


def _of_one_length(heard: Sequence[Tensor]) -> Iterator[list[int]]:
    """Which windows go through the network together: equally long ones, so that none is padded."""
    by_length: dict[int, list[int]] = {}
    for i, window in enumerate(heard):
        by_length.setdefault(len(window), []).append(i)
    for group in by_length.values():
        for first in range(0, len(group), _AT_ONCE):
            yield group[first : first + _AT_ONCE]
