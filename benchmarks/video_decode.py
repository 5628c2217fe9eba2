"""How long the frames of one film take: vlmkit on PyAV beside torchcodec, in turns in one run.

Makes its own films (30 s, 1280x720, 25 fps, H.264, long and short groups of pictures) unless `--file` gives one.
Two tasks: dense (4 frames a second) and sparse (8 frames over the whole film), scaled to an area of 448x252.
The machine's speed drifts, so read the ratio. torchcodec decodes only where FFmpeg's shared libraries are
installed; where it cannot, this says so and gives PyAV's figures alone. Never a test.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import av
import numpy as np
import PIL.Image

from vlmkit.media import VideoSpec, open_video
from vlmkit.types import Clip

WIDTH_PX, HEIGHT_PX = 448, 252
LIMITS = VideoSpec(min_pixels=28 * 28, max_pixels=WIDTH_PX * HEIGHT_PX, max_frames=100_000)
TASKS = {
    "dense, 4 fps": replace(LIMITS, sampler="fps", fps=4.0),
    "sparse, 8 frames": replace(LIMITS, sampler="uniform", frames=8),
}


def make_film(path: Path, gop: int, seconds: int) -> Path:
    """A film of blurred noise that moves, with a little grain: neither trivial nor impossible to compress."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (60, 110, 3), dtype=np.uint8)
    scene = av.VideoFrame.from_ndarray(coarse).reformat(width=1760, height=960, interpolation="BICUBIC").to_ndarray()
    with av.open(path, "w") as output:
        stream = output.add_stream("libx264", rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        stream.gop_size = gop
        stream.options = {"preset": "veryfast", "keyint_min": str(gop), "sc_threshold": "0"}
        for i in range(seconds * 25):
            x, y = round(240 + 230 * np.sin(i / 40)), round(120 + 110 * np.cos(i / 31))
            frame = scene[y : y + 720, x : x + 1280] // 2 + rng.integers(0, 16, (720, 1280, 1), dtype=np.uint8)
            output.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame))))
        output.mux(stream.encode(None))
    return path


def with_torchcodec(path: Path, spec: VideoSpec) -> int:
    """The frames that vlmkit picks, by index, decoded and scaled by torchcodec itself; returns how many."""
    from torchcodec.decoders import VideoDecoder
    from torchcodec.transforms import Resize

    decoder = VideoDecoder(str(path), transforms=[Resize((HEIGHT_PX, WIDTH_PX))])
    n, rate_hz = decoder.metadata.num_frames or 1, decoder.metadata.average_fps or 1.0
    if spec.sampler == "fps":
        picks = [min(n - 1, round(k * rate_hz / spec.fps)) for k in range(int(n / rate_hz * spec.fps))]
    else:
        picks = [round(i * (n - 1) / (spec.frames - 1)) for i in range(spec.frames)]
    return len(decoder.get_frames_at(picks).data)


def with_vlmkit(path: Path, spec: VideoSpec) -> int:
    """The same through `open_video`; returns how many frames."""
    return len(open_video(Clip(path), spec).images)


def timed_s(work: Callable[[Path, VideoSpec], int], path: Path, spec: VideoSpec) -> float:
    """Seconds of one call."""
    begin_s = time.perf_counter()
    work(path, spec)
    return time.perf_counter() - begin_s


def torchcodec_fault(path: Path) -> str | None:
    """Why torchcodec cannot decode here; `None` where it can."""
    try:
        version("torchcodec")
        with_torchcodec(path, TASKS["sparse, 8 frames"])
    except PackageNotFoundError:
        return "it is not installed (pip install torchcodec)"
    except (ImportError, OSError, RuntimeError):
        return "FFmpeg's shared libraries are not installed, or of a version it does not know (apt install ffmpeg)"
    return None


def compare(label: str, path: Path, runs: int, *, both: bool) -> None:
    """One line a task: median seconds of each, and their ratio."""
    for task, spec in TASKS.items():
        ours_s, theirs_s = [], []
        for _ in range(runs):
            ours_s.append(timed_s(with_vlmkit, path, spec))
            if both:
                theirs_s.append(timed_s(with_torchcodec, path, spec))
        ours = statistics.median(ours_s)
        line = f"{label:<16}{task:<18}{with_vlmkit(path, spec):>5} frames   PyAV {ours:6.3f} s"
        if both:
            theirs = statistics.median(theirs_s)
            line += f"   torchcodec {theirs:6.3f} s   torchcodec / PyAV {theirs / ours:5.2f}"
        print(line)


def compare_scaling(path: Path) -> None:
    """Time and error of swscale's settings, against a conversion at full size and Pillow's bicubic."""
    from av.video.reformatter import Interpolation, VideoReformatter

    exact = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
    with av.open(path) as container:
        frames = [frame for frame, _ in zip(container.decode(video=0), range(40), strict=False)]
    ideals = []
    for frame in frames:
        whole = frame.reformat(format="rgb24", interpolation=exact, threads=1).to_ndarray()
        small = PIL.Image.fromarray(whole).resize((WIDTH_PX, HEIGHT_PX), PIL.Image.Resampling.BICUBIC)
        ideals.append(np.asarray(small, dtype=np.float64))
    for name, flags in (("bicubic", Interpolation.BICUBIC), ("bicubic, full chroma", exact)):
        for threads in (0, 1):
            reformatter, begin_s = VideoReformatter(), time.perf_counter()
            scaled = [
                reformatter.reformat(f, WIDTH_PX, HEIGHT_PX, "rgb24", interpolation=flags, threads=threads).to_ndarray()
                for f in frames
            ]
            took_ms = (time.perf_counter() - begin_s) / len(frames) * 1000
            bias = np.mean([(small - ideal).mean() for small, ideal in zip(scaled, ideals, strict=True)])
            how = "one thread" if threads else "threads chosen by swscale"
            print(f"scaling: {name:<21}{how:<26}{took_ms:6.2f} ms a frame   bias {bias:+.2f} of 255 levels")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file", type=Path, help="a film of your own instead of the made ones")
    parser.add_argument("--runs", type=int, default=5, help="calls a figure (default 5)")
    parser.add_argument("--seconds", type=int, default=30, help="length of the made films (default 30)")
    given = parser.parse_args()
    print(f"{platform.platform()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"Python {platform.python_version()}, av {av.__version__}; median of {given.runs}, in turns")
    with tempfile.TemporaryDirectory() as folder:
        films = {"your film": given.file} if given.file else {}
        for gop in () if given.file else (250, 50):
            films[f"groups of {gop}"] = make_film(Path(folder) / f"{gop}.mp4", gop, given.seconds)
        fault = torchcodec_fault(next(iter(films.values())))
        print(f"torchcodec decodes nothing here: {fault}" if fault else f"torchcodec {version('torchcodec')}")
        for label, path in films.items():
            compare(label, path, given.runs, both=fault is None)
        compare_scaling(next(iter(films.values())))


if __name__ == "__main__":
    main()
