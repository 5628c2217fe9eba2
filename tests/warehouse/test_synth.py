from __future__ import annotations

import json
from collections import Counter
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from vlmkit.errors import DataError
from vlmkit_plugins.warehouse.data import read
from vlmkit_plugins.warehouse.schema import CLIP_FRAMES, OPERATIONS
from vlmkit_plugins.warehouse.synth import LEAD_FRAMES, SHORTEST_FRAMES, draw_clip, synth, tell, write_film


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("synth") / "data"
    synth(path, 4, 7, 1)
    return path


def test_stories_keep_the_rules() -> None:
    seen: Counter[str] = Counter()
    for index in range(600):
        story = tell(1, index)
        lengths = sorted(part.end_frame - part.start_frame for part in story.shown)
        names = [part.operation for part in story.shown]
        assert len(names) in (2, 3)
        assert len(set(names)) == len(names)
        assert lengths[0] >= SHORTEST_FRAMES
        assert lengths[-1] - lengths[-2] >= LEAD_FRAMES
        assert [part.start_frame for part in story.shown] == [0, *(p.end_frame for p in story.shown[:-1])]
        assert story.shown[-1].end_frame == CLIP_FRAMES
        longest = max(story.shown, key=lambda part: part.end_frame - part.start_frame)
        segment = story.truth.temporal_segment
        assert story.truth.dominant_operation == longest.operation
        assert (segment.start_frame, segment.end_frame) == (longest.start_frame, longest.end_frame)
        assert story.shown[0].done_from > 0 and story.shown[-1].done_to < 1
        seen[longest.operation] += 1
    assert set(seen) == set(OPERATIONS)
    assert min(seen.values()) > 30


def test_draw_clip_is_the_clip_that_synth_writes(folder: Path) -> None:
    drawn, story = draw_clip(7, 2), tell(7, 2)
    assert drawn.frames.shape == (CLIP_FRAMES, 120, 160, 3)
    assert (drawn.truth, drawn.timeline, drawn.subject) == (story.truth, story.timeline, story.subject)
    sample = list(read(folder))[2]
    assert sample.truth == drawn.truth
    assert sample.meta == {
        "timeline": drawn.timeline,
        "n_frames": CLIP_FRAMES,
        "synthetic": True,
        "subject": drawn.subject,
    }
    with av.open(str(folder / "videos" / f"{sample.id}.mp4")) as container:
        stream = container.streams.video[0]
        decoded = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(stream)])
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        assert stream.average_rate == Fraction(25)
    assert decoded.shape == drawn.frames.shape
    assert np.abs(decoded.astype(int) - drawn.frames).mean() < 8


def test_the_same_seed_gives_the_same_bytes_with_any_number_of_workers(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    synth(one, 16, 3, 1)
    synth(two, 16, 3, 2)
    names = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    assert len(names) == 18
    assert all((one / name).read_bytes() == (two / name).read_bytes() for name in names)


def test_other_seeds_give_other_clips() -> None:
    assert not np.array_equal(draw_clip(0, 0).frames, draw_clip(1, 0).frames)
    assert not np.array_equal(draw_clip(0, 0).frames, draw_clip(0, 1).frames)


def test_synth_json_says_how_the_clips_were_made(folder: Path) -> None:
    about = json.loads((folder / "synth.json").read_text())
    assert (about["seed"], about["n"], about["lead_frames"]) == (7, 4, LEAD_FRAMES)
    assert about["grammar"]["steps"] == [0.75, 0.15, 0.1]
    assert 0 <= about["label_entropy_bits"]["dominant_operation"] <= 2


def test_a_folder_is_not_written_over(folder: Path) -> None:
    with pytest.raises(DataError, match=r"already holds a manifest\.jsonl"):
        synth(folder, 1, 0, 1)


@pytest.mark.parametrize(("n", "seed", "workers"), [(0, 0, 1), (1, -1, 1), (1, 0, 0)])
def test_wrong_counts_are_refused(tmp_path: Path, n: int, seed: int, workers: int) -> None:
    with pytest.raises(DataError, match="synth wants"):
        synth(tmp_path, n, seed, workers)


def test_films_take_rgb_and_rgba(tmp_path: Path) -> None:
    for channels in (3, 4):
        path = tmp_path / f"{channels}.mp4"
        write_film(path, [np.full((32, 48, channels), 90, np.uint8)] * 3)
        with av.open(str(path)) as container:
            assert container.streams.video[0].frames == 3
