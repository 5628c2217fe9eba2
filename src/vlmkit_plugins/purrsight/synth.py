"""Synthetic samples with known truth: `synth` writes a folder that `vlmkit_plugins.purrsight.data.read` understands.

How a sample is made, all from `default_rng([seed, index])`, so that neither the number of workers nor the order
changes a byte: the four markers are drawn, each on its own; then which modalities the sample brings; then these. The
truth holds what they tell and `not_observed` elsewhere: a picture shows ears, tail and posture, a sound or a sound
track tells the vocalization, a text what it mentions. The classification follows from that alone (ethology.py), so
it never hangs on something that nobody could see or hear.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import av
import numpy as np
import PIL
from PIL import Image as Pillow
from rich.console import Console
from rich.progress import track

from vlmkit.errors import DataError
from vlmkit_plugins.purrsight import wording
from vlmkit_plugins.purrsight.cat import draw
from vlmkit_plugins.purrsight.data import write_manifest
from vlmkit_plugins.purrsight.ethology import classify
from vlmkit_plugins.purrsight.film import film, write_film
from vlmkit_plugins.purrsight.schema import NOT_OBSERVED
from vlmkit_plugins.purrsight.sounds import LONGEST_S, SHORTEST_S, sound, write_wav

T = TypeVar("T")

VERSION = 1
"""Raised whenever the same seed would give other samples."""
MARKERS: dict[str, dict[str, float]] = {
    "ears": {"forward": 0.28, "sideways": 0.28, "flattened": 0.16, "alert": 0.28},
    "tail": {"neutral": 0.22, "tucked": 0.22, "lashing": 0.22, "upright": 0.22, "puffed": 0.12},
    "posture": {"relaxed": 0.24, "crouched": 0.2, "lateral_recumbent": 0.22, "arched": 0.12, "tense": 0.22},
    "vocalization": {
        "purr": 0.16, "hiss": 0.1, "growl": 0.1, "chirp": 0.16, "meow": 0.16, "trill": 0.16, "silent": 0.16,
    },
}  # fmt: skip
"""How often each value is drawn. Threats are rarer than the rest, so that risk 4 and 5 stay below two in five."""
SEEN = ("ears", "tail", "posture")
KINDS: dict[tuple[str, ...], float] = {
    ("image",): 0.15,
    ("audio",): 0.14,
    ("text",): 0.13,
    ("image", "audio"): 0.14,
    ("image", "text"): 0.1,
    ("audio", "text"): 0.09,
    ("image", "audio", "text"): 0.1,
    ("video",): 0.04,
    ("video", "audio"): 0.06,  # one file: a film with a sound track
    ("video", "text"): 0.02,
    ("video", "audio", "text"): 0.03,
}
"""What a sample brings, and how often."""
_FPS = (12, 15)
_FILM_S = (2.0, 4.0)
_QUALITY = (60, 93)  # of JPEG
_FOLDERS = ("images", "audio", "videos")
_SPLIT_FROM = 32  # samples; fewer are drawn faster than a second process starts


class Story(NamedTuple):
    """A sample before anything is drawn: what the cat does, what the sample brings, what its text mentions."""

    latent: dict[str, str]
    modalities: tuple[str, ...]
    mentioned: tuple[str, ...]

    @property
    def observed(self) -> dict[str, str]:
        """The markers with `not_observed` where no modality of the sample tells them."""
        told = set(self.mentioned)
        if {"image", "video"} & set(self.modalities):
            told.update(SEEN)
        if "audio" in self.modalities:
            told.add("vocalization")
        return {name: value if name in told else NOT_OBSERVED for name, value in self.latent.items()}

    @property
    def truth(self) -> dict[str, Any]:
        """The whole answer, as a `CatReport` dumps."""
        markers = self.observed
        meaning = classify(markers)
        return {
            "diagnostic": {"physical_markers": markers, "classification": meaning._asdict()},
            "behavioral_summary": wording.summary(markers),
            "human_actionable_insight": wording.advice(meaning.affective_state, meaning.risk_rating),
        }


def tell(seed: int, index: int) -> Story:
    """What sample `index` of `seed` is: its truth without its media, in microseconds."""
    return _tell(np.random.default_rng([seed, index]))


def sample_id(seed: int, index: int) -> str:
    """`S0007_c000035` form, unique over seeds."""
    return f"S{seed:04d}_c{index:06d}"


def synth(folder: Path, n: int, seed: int, workers: int) -> None:
    """Write `n` samples into `folder`: `images/`, `audio/`, `videos/`, `manifest.jsonl`, `synth.json`.

    The manifest comes last and whole, so a folder that was left half drawn is never read. Raises `DataError` for a
    folder that holds anything, and for counts below 1.
    """
    folder = Path(folder)
    if n < 1 or workers < 1 or seed < 0:
        raise DataError(f"synth wants n >= 1, workers >= 1, seed >= 0; given n={n}, workers={workers}, seed={seed}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(f"{folder}: already holds files; name a new folder or delete this one")
    for name in _FOLDERS:
        (folder / name).mkdir(parents=True)
    console = Console(stderr=True)
    rows = list(track(_rows(folder, n, seed, workers), "drawing samples", n, console=console, transient=True))
    about = json.dumps(_about(rows, n, seed), indent=2)
    (folder / "synth.json").write_text(about + "\n", encoding="utf-8")
    write_manifest(folder, rows)


def _tell(rng: np.random.Generator) -> Story:
    latent = {name: _pick(values, rng) for name, values in MARKERS.items()}
    modalities = _pick(KINDS, rng)
    mentioned: tuple[str, ...] = ()
    if "text" in modalities:
        most = int(rng.integers(1, wording.MOST_MENTIONED + 1))
        mentioned = tuple(str(name) for name in rng.permutation(list(MARKERS))[:most])
    return Story(latent, modalities, mentioned)


def _pick(shares: dict[T, float], rng: np.random.Generator) -> T:
    edges = np.cumsum(list(shares.values()))
    return list(shares)[int(np.searchsorted(edges / edges[-1], rng.random(), side="right"))]


def _rows(folder: Path, n: int, seed: int, workers: int) -> Iterator[dict[str, Any]]:
    make = partial(_write_one, folder, seed)
    if workers == 1 or n < _SPLIT_FROM:
        yield from map(make, range(n))
        return
    # spawn: the caller may hold torch or decoder threads, which do not survive a fork
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(make, range(n), chunksize=16)


def _write_one(folder: Path, seed: int, index: int) -> dict[str, Any]:
    rng = np.random.default_rng([seed, index])
    story = _tell(rng)
    name = sample_id(seed, index)
    row: dict[str, Any] = {"id": name}
    if "image" in story.modalities:
        row["image"] = f"images/{name}.jpg"
        quality = int(rng.integers(*_QUALITY))
        Pillow.fromarray(draw(story.latent, rng)).save(folder / row["image"], quality=quality)
    if "video" in story.modalities:
        row["video"] = f"videos/{name}.mp4"
        _write_film(folder / row["video"], story, rng)
    elif "audio" in story.modalities:
        row["audio"] = f"audio/{name}.wav"
        seconds = float(rng.uniform(SHORTEST_S, LONGEST_S))
        write_wav(folder / row["audio"], sound(story.latent["vocalization"], rng, seconds))
    if story.mentioned:
        row["text"] = wording.describe({name: story.latent[name] for name in story.mentioned}, rng)
    row["truth"] = story.truth
    row["meta"] = {"synthetic": True, "modalities": sorted(story.modalities), "latent": story.latent}
    return row


def _write_film(path: Path, story: Story, rng: np.random.Generator) -> None:
    fps = int(rng.choice(_FPS))
    n_frames = int(rng.uniform(*_FILM_S) * fps)
    seconds = n_frames / fps
    voice = sound(story.latent["vocalization"], rng, seconds) if "audio" in story.modalities else None
    write_film(path, film(story.latent, rng, seconds, fps), fps, voice)


def _about(rows: list[dict[str, Any]], n: int, seed: int) -> dict[str, Any]:
    kinds = Counter("+".join(row["meta"]["modalities"]) for row in rows)
    risks = Counter(str(row["truth"]["diagnostic"]["classification"]["risk_rating"]) for row in rows)
    return {
        "version": VERSION,
        "seed": seed,
        "n": n,
        "modalities": dict(sorted(kinds.items())),
        "risk_rating": dict(sorted(risks.items())),
        "markers": MARKERS,
        "versions": {
            "python": sys.version.split()[0],
            "numpy": np.__version__,
            "av": av.__version__,
            "pillow": PIL.__version__,
        },
    }
