from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from vlmkit.errors import DataError
from vlmkit_plugins.football.data import read
from vlmkit_plugins.football.drawing import Frames
from vlmkit_plugins.football.synth import clip_story, draw_clip, synth, write_film


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("synth") / "data"
    synth(path, 5, 7, 1)
    return path


def decoded(path: Path) -> NDArray[np.uint8]:
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def test_draw_clip_is_the_clip_that_synth_writes(folder: Path) -> None:
    drawn, story = draw_clip(7, 2), clip_story(7, 2)
    assert drawn.frames.shape == (story.n_frames, 112, 168, 3)
    assert drawn.story == story
    sample = list(read(folder))[2]
    assert sample.truth == drawn.truth
    assert sample.meta == {
        "video_s": pytest.approx(story.n_frames / 12, abs=1e-4),
        "timeline": story.timeline,
        "numbers": story.numbers,
        "jerseys": list(story.match.teams),
        "synthetic": True,
        "source": story.match.source,
    }
    with av.open(str(folder / "videos" / f"{sample.id}.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        assert stream.average_rate == Fraction(12)
    seen = decoded(folder / "videos" / f"{sample.id}.mp4")
    assert seen.shape == drawn.frames.shape
    assert np.abs(seen.astype(int) - drawn.frames).mean() < 8


def test_four_clips_are_of_one_match(folder: Path) -> None:
    samples = list(read(folder))
    assert len({sample.id for sample in samples}) == 5
    assert [sample.meta["source"] for sample in samples] == ["S0007_m00000"] * 4 + ["S0007_m00001"]
    assert len({tuple(sample.meta["jerseys"]) for sample in samples[:4]}) == 1


def test_the_same_seed_gives_the_same_bytes_with_any_number_of_workers(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    synth(one, 8, 3, 1)
    synth(two, 8, 3, 2)
    names = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    assert len(names) == 10
    assert all((one / name).read_bytes() == (two / name).read_bytes() for name in names)


def test_other_seeds_give_other_clips() -> None:
    stories = [clip_story(seed, index) for seed in range(4) for index in range(8)]
    assert len({(story.n_frames, str(story.timeline)) for story in stories}) > 28


def test_synth_json_says_what_is_in_it(folder: Path) -> None:
    about = json.loads((folder / "synth.json").read_text())
    counts = [len(sample.truth.root) for sample in read(folder) if sample.truth is not None]
    assert (about["version"], about["seed"], about["n"]) == (2, 7, 5)
    assert sum(about["classes"].values()) == sum(counts)
    assert sorted(map(str, counts)) == sorted("".join(k * n for k, n in about["events_a_clip"].items()))


def test_a_folder_is_not_written_over(folder: Path) -> None:
    with pytest.raises(DataError, match="already holds files"):
        synth(folder, 1, 0, 1)


@pytest.mark.parametrize(("n", "seed", "workers"), [(0, 0, 1), (1, -1, 1), (1, 0, 0)])
def test_wrong_counts_are_refused(tmp_path: Path, n: int, seed: int, workers: int) -> None:
    with pytest.raises(DataError, match="synth wants"):
        synth(tmp_path / "data", n, seed, workers)


def test_a_lossless_film_loses_nothing_but_what_its_colours_lose(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frames: list[Frames] = [np.repeat(rng.integers(0, 255, (112, 168, 1), np.uint8), 3, 2) for _ in range(3)]
    errors = {}
    for lossless in (False, True):
        write_film(tmp_path / "a.mkv", frames, 4, lossless=lossless)
        errors[lossless] = np.abs(decoded(tmp_path / "a.mkv").astype(int) - frames).max()
    assert errors[True] <= 3 < errors[False]
