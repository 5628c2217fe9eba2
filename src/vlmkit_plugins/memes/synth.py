"""Synthetic memes with known truth, whose label hangs on words and picture together.

Built like the benign confounders of the Hateful Memes set (Kiela et al., 2020, arXiv:2005.04790), and without anything
that could hurt: invented peoples, invented insults. Samples come in groups that share a caption or a picture, so that
each caption and each picture that settles nothing stands under both labels equally often:

- `both` (70 %), four samples: a warm and a mocking caption, each over a pleasant and over a foul picture. Praise over a
  cake and scolding over a dustbin are harmless; praise over a dustbin and scolding over a cake are abuse.
- `text` (15 %), two: an insult and a harmless sentence, over one picture that is pleasant or foul.
- `image` (15 %), two: the badge of hate and a landscape, under one caption that says nothing.

Whoever knows one modality perfectly, even by heart, therefore reaches a balanced accuracy of 0.15 + 0.85 / 2 = 0.575.

All of a group comes from `default_rng([seed, group, part])`: neither the number of samples nor that of workers changes
a byte of those that are drawn. A picture that several samples share is one file.
"""

from __future__ import annotations

import json
import sys
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import accumulate
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import PIL
from rich.console import Console
from rich.progress import track

from vlmkit.errors import DataError
from vlmkit.manifest import write_rows
from vlmkit.types import Modality, Sample
from vlmkit_plugins.memes.drawing import Picture, draw
from vlmkit_plugins.memes.phrases import Tone, caption

SettledBy = Literal["both", "text", "image"]

VERSION = 1
"""Raised whenever the same seed would give other samples."""
DATASET = "synth"
BLOCK: tuple[SettledBy, ...] = ("both", "text", "image") * 3 + ("both",) * 4
"""The kinds of the groups, over and over: 40 samples, of which 28, 6 and 6 are settled by both, text and image."""
_SIZES: Mapping[SettledBy, int] = {"both": 4, "text": 2, "image": 2}
*_FIRSTS, _BLOCK_SIZE = accumulate((_SIZES[kind] for kind in BLOCK), initial=0)
_QUALITY = (60, 93)  # of JPEG
_SPLIT_FROM = 200  # samples; fewer are drawn faster than a second process starts


class Story(NamedTuple):
    """A meme before its picture is drawn. `drawing` tells which of its group's pictures it shows."""

    number: int
    group: int
    settled_by: SettledBy
    tone: Tone
    text: str
    picture: Picture
    drawing: int
    label: Literal[0, 1]


def tell(seed: int, index: int) -> Story:
    """What sample `index` of `seed` is: words and label, in microseconds."""
    group, first = _place(index)
    return _stories(seed, group, first)[index - first]


def sample_id(seed: int, index: int) -> str:
    """`synth_all_0007-000035`: data set, split and number, unique over seeds."""
    return f"{DATASET}_all_{seed:04d}-{index:06d}"


def labels(sample: Sample) -> dict[Modality, dict[str, str]]:
    """What an `attributes` stage learns from each modality alone: the kind of the picture, the tone of the words.

    Empty for samples that are not synthetic, and without the modalities that a sample does not bring.
    """
    told: dict[Modality, str] = {"image": "picture", "text": "tone"}
    brought = {modality: name for modality, name in told.items() if modality in sample.modalities}
    return {modality: {name: str(sample.meta[name])} for modality, name in brought.items() if name in sample.meta}


def synth(folder: Path, n: int, seed: int, workers: int) -> None:
    """Write `n` samples into `folder`: `images/`, `manifest.jsonl`, `synth.json`.

    The manifest comes last and whole, so a folder that was left half drawn is never read. Raises `DataError` for a
    folder that holds anything, and for counts below 1.
    """
    folder = Path(folder)
    if n < 1 or workers < 1 or seed < 0:
        raise DataError(f"synth wants n >= 1, workers >= 1, seed >= 0; given n={n}, workers={workers}, seed={seed}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(f"{folder}: already holds files; name a new folder or delete this one")
    (folder / "images").mkdir(parents=True)
    console = Console(stderr=True)
    rows = list(track(_rows(folder, n, seed, workers), "drawing samples", n, console=console, transient=True))
    about = json.dumps(_about(rows, n, seed), indent=2)
    (folder / "synth.json").write_text(about + "\n", encoding="utf-8")
    write_rows(folder / "manifest.jsonl", rows)


def _place(index: int) -> tuple[int, int]:
    """The group that a sample is in, and the group's first sample."""
    block, inside = divmod(index, _BLOCK_SIZE)
    number = bisect_right(_FIRSTS, inside) - 1
    return block * len(BLOCK) + number, block * _BLOCK_SIZE + _FIRSTS[number]


def _stories(seed: int, group: int, first: int) -> list[Story]:
    rng = np.random.default_rng([seed, group, 0])
    kind = BLOCK[group % len(BLOCK)]
    made = [
        Story(first + place, group, kind, tone, text, picture, drawing, label)
        for place, (tone, text, picture, drawing, label) in enumerate(_combined(kind, rng))
    ]
    order = rng.permutation(len(made)).tolist()  # the label must not follow from the place
    return [made[old]._replace(number=first + new) for new, old in enumerate(order)]


def _combined(kind: SettledBy, rng: np.random.Generator) -> Iterator[tuple[Tone, str, Picture, int, Literal[0, 1]]]:
    if kind == "both":
        tones: tuple[Tone, Tone] = ("warm", "mocking")
        pictures: tuple[Picture, Picture] = ("pleasant", "foul")
        for said, tone in enumerate(tones):
            text = caption(tone, rng)
            for shown, picture in enumerate(pictures):
                yield tone, text, picture, shown, 1 if said != shown else 0
    elif kind == "text":
        shared: Picture = "foul" if rng.random() < 0.5 else "pleasant"
        yield "slur", caption("slur", rng), shared, 0, 1
        yield "plain", caption("plain", rng), shared, 0, 0
    else:
        text = caption("neutral", rng)
        yield "neutral", text, "badge", 0, 1
        yield "neutral", text, "scene", 1, 0


def _rows(folder: Path, n: int, seed: int, workers: int) -> Iterator[dict[str, Any]]:
    groups = range(_place(n - 1)[0] + 1)
    make = partial(_write_group, folder, seed, n)
    if workers == 1 or n < _SPLIT_FROM:
        yield from (row for group in groups for row in make(group))
        return
    # spawn: the caller may hold torch threads, which do not survive a fork
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from (row for rows in pool.map(make, groups, chunksize=32) for row in rows)


def _write_group(folder: Path, seed: int, n: int, group: int) -> list[dict[str, Any]]:
    block, number = divmod(group, len(BLOCK))
    stories = _stories(seed, group, block * _BLOCK_SIZE + _FIRSTS[number])
    shown: dict[int, tuple[str, str]] = {}
    wanted = [story for story in stories if story.number < n]
    for story in wanted:
        if story.drawing not in shown:
            rng = np.random.default_rng([seed, group, 1 + story.drawing])
            picture, subject = draw(story.picture, rng)
            path = f"images/{sample_id(seed, story.number)}.jpg"
            picture.save(folder / path, quality=int(rng.integers(*_QUALITY)))
            shown[story.drawing] = path, subject
    return [_row(story, seed, *shown[story.drawing]) for story in wanted]


def _row(story: Story, seed: int, path: str, subject: str) -> dict[str, Any]:
    return {
        "id": sample_id(seed, story.number),
        "image": path,
        "text": story.text,
        "truth": {"abuse_hate": story.label},
        "meta": {
            "synthetic": True,
            "dataset": DATASET,
            "settled_by": story.settled_by,
            "group": f"s{seed:04d}-g{story.group:06d}",
            "picture": story.picture,
            "shown": subject,
            "tone": story.tone,
        },
    }


def _about(rows: list[dict[str, Any]], n: int, seed: int) -> dict[str, Any]:
    return {
        "version": VERSION,
        "seed": seed,
        "n": n,
        "labels": dict(sorted(Counter(str(row["truth"]["abuse_hate"]) for row in rows).items())),
        "settled_by": dict(sorted(Counter(row["meta"]["settled_by"] for row in rows).items())),
        "shown": dict(sorted(Counter(row["meta"]["shown"] for row in rows).items())),
        "versions": {"python": sys.version.split()[0], "numpy": np.__version__, "pillow": PIL.__version__},
    }
