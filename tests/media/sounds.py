"""Sounds made on the spot: tones, coded in any container, alone or beside numbered frames."""

from __future__ import annotations

import io
import wave
from collections.abc import Sequence
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray

from tests.media.films import HEIGHT_PX, WIDTH_PX, numbered


def tone(hz: float = 440.0, n: int = 16_000, rate_hz: int = 16_000, level: float = 0.5) -> NDArray[np.float32]:
    """A sine `[1, n]`."""
    return np.asarray(level * np.sin(2 * np.pi * hz * np.arange(n) / rate_hz), dtype=np.float32)[None]


def noise(n: int = 16_000, level: float = 0.2, seed: int = 0) -> NDArray[np.float32]:
    """Uniform noise `[1, n]`: every part of it is recognisable."""
    return np.random.default_rng(seed).uniform(-level, level, (1, n)).astype(np.float32)


def strength(samples: NDArray[np.float32], hz: float, rate_hz: int) -> float:
    """How large the tone of `hz` in `samples` `[n]` is: 0.5 for `tone()`."""
    turning = np.exp(-2j * np.pi * hz * np.arange(len(samples)) / rate_hz) * np.hanning(len(samples)) * 2
    return float(2 * np.abs((samples * turning).mean()))


def wav(samples: NDArray[np.float32], rate_hz: int = 16_000) -> bytes:
    """A WAV of 16 bits, its channels unnamed where there are more than two."""
    file = io.BytesIO()
    with wave.open(file, "wb") as output:
        output.setnchannels(len(samples))
        output.setsampwidth(2)
        output.setframerate(rate_hz)
        output.writeframes(np.clip(np.round(samples * 32767), -32768, 32767).astype("<i2").T.tobytes())
    return file.getvalue()


def coded(
    samples: NDArray[np.float32], rate_hz: int, container: str, codec: str, layout: str = "mono", sample: str = ""
) -> bytes:
    """`samples` `[channels, n]` in any container and codec; `sample` is FFmpeg's name of the sample format."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate_hz, layout=layout)
        assert isinstance(stream, av.AudioStream)
        if sample:
            stream.format = sample
        _encode(output, stream, samples, rate_hz, layout)
        output.mux(stream.encode(None))
    return file.getvalue()


def sounding_film(
    n: int = 50,
    *,
    samples: NDArray[np.float32],
    rate_hz: int = 16_000,
    rate: int = 25,
    sound_s: float = 0.0,
    picture_s: float = 0.0,
    container: str = "matroska",
    codec: str = "pcm_s16le",
    skip: Sequence[int] = (),
) -> bytes:
    """A film of `n` numbered frames from `picture_s` on, with mono `samples` from `sound_s` on; frames may lack."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        video = output.add_stream("libx264", rate=rate)
        audio = output.add_stream(codec, rate=rate_hz, layout="mono")
        assert isinstance(video, av.VideoStream) and isinstance(audio, av.AudioStream)
        video.width, video.height, video.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        video.gop_size, video.options = 10, {"sc_threshold": "0", "preset": "ultrafast"}
        # A whole second of each in turn: the order of a file that can be played.
        for second in range(-(-max(n, samples.shape[1] * rate // rate_hz) // rate)):
            for i in range(second * rate, min((second + 1) * rate, n)):
                if i not in skip:
                    frame = av.VideoFrame.from_ndarray(numbered(i % 256))
                    frame.pts, frame.time_base = round(picture_s * rate) + i, Fraction(1, rate)
                    output.mux(video.encode(frame))
            piece = samples[:, second * rate_hz : (second + 1) * rate_hz]
            if piece.size:
                _encode(output, audio, piece, rate_hz, "mono", first=round(sound_s * rate_hz) + second * rate_hz)
        output.mux(video.encode(None))
        output.mux(audio.encode(None))
    return file.getvalue()


def _encode(
    output: av.container.OutputContainer,
    stream: av.AudioStream,
    samples: NDArray[np.float32],
    rate_hz: int,
    layout: str,
    first: int = 0,
) -> None:
    packed = np.ascontiguousarray(samples.T.reshape(1, -1))  # PyAV takes no more than seven planes
    frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=layout)
    frame.sample_rate, frame.pts, frame.time_base = rate_hz, first, Fraction(1, rate_hz)
    output.mux(stream.encode(frame))
