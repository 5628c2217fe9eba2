from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path

import pytest

from vlmkit.errors import DataError, MediaError
from vlmkit.media.image import open_image
from vlmkit.media.spec import ImageSpec
from vlmkit.training.split import hold_out
from vlmkit.types import Image, Sample
from vlmkit_plugins.memes import synth as module
from vlmkit_plugins.memes.data import read
from vlmkit_plugins.memes.drawing import SUBJECTS
from vlmkit_plugins.memes.schema import Verdict
from vlmkit_plugins.memes.synth import Story, labels, sample_id, synth, tell

N = 58  # a block and a half, and the last group is cut
Known = Callable[[Story], Hashable]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("synth") / "data"
    synth(path, N, 7, 1)
    return path


@pytest.fixture(scope="module")
def samples(folder: Path) -> list[Sample]:
    return list(read(folder))


@pytest.fixture(scope="module")
def drawn() -> list[Story]:
    return [tell(11, index) for index in range(4000)]


def balanced_accuracy(stories: Sequence[Story], knows: Known, learned: Sequence[Story]) -> float:
    """Of the best answer to what `knows` gives: the label that `learned` has there more often; 0 for a tie."""
    counts: dict[Hashable, Counter[int]] = defaultdict(Counter)
    for story in learned:
        counts[knows(story)][story.label] += 1
    right: dict[int, list[bool]] = {0: [], 1: []}
    for story in stories:
        found = counts[knows(story)]
        right[story.label].append(int(found[1] > found[0]) == story.label)
    return sum(sum(hits) / len(hits) for hits in right.values()) / 2


@pytest.mark.parametrize(
    "knows",
    [
        lambda story: story.tone,
        lambda story: story.text,  # by heart
        lambda story: story.picture,
        lambda story: (story.group, story.drawing),  # by heart
        lambda story: story.number % 40,  # where it stands
        lambda story: story.number % 4,
    ],
    ids=["tone", "words", "kind", "pixels", "place", "quarter"],
)
def test_one_modality_alone_is_hardly_better_than_chance(drawn: list[Story], knows: Known) -> None:
    """The exact optimum over what was drawn, also for whoever knows every caption or picture by heart."""
    assert 0.45 <= balanced_accuracy(drawn, knows, drawn) <= 0.6


@pytest.mark.parametrize("knows", [lambda story: story.tone, lambda story: story.picture], ids=["tone", "kind"])
def test_what_one_modality_settles_is_a_sixth_of_the_way(drawn: list[Story], knows: Known) -> None:
    assert balanced_accuracy(drawn, knows, drawn) == pytest.approx(0.15 + 0.85 / 2)


def test_both_together_settle_everything(drawn: list[Story]) -> None:
    fresh = [tell(12, index) for index in range(400)]
    assert balanced_accuracy(fresh, lambda story: (story.tone, story.picture), drawn) == 1.0


def test_the_parts_have_their_shares_and_half_of_each_is_hateful(drawn: list[Story]) -> None:
    assert Counter(story.settled_by for story in drawn) == {"both": 2800, "text": 600, "image": 600}
    for kind in ("both", "text", "image"):
        assert sum(story.label for story in drawn if story.settled_by == kind) * 2 == sum(
            story.settled_by == kind for story in drawn
        )
    shared = Counter(story.picture for story in drawn if story.settled_by == "text")
    assert min(shared["pleasant"], shared["foul"]) > 220  # of 600; nothing else is drawn there


def test_a_group_shares_what_settles_nothing(drawn: list[Story]) -> None:
    groups: dict[int, list[Story]] = defaultdict(list)
    for story in drawn:
        groups[story.group].append(story)
    shapes = {"both": (4, 2, 2), "text": (2, 2, 1), "image": (2, 1, 2)}  # samples, captions, pictures
    for group in groups.values():
        found = len(group), len({story.text for story in group}), len({story.drawing for story in group})
        assert found == shapes[group[0].settled_by]
        assert len({(story.text, story.drawing) for story in group}) == len(group)
    assert all(tell(11, story.number) == story for story in drawn[:80])


def test_samples_bring_picture_words_and_truth(samples: list[Sample]) -> None:
    assert [sample.id for sample in samples] == [sample_id(7, index) for index in range(N)]
    assert sample_id(7, 3) == "synth_all_0007-000003"
    for index, sample in enumerate(samples):
        story = tell(7, index)
        assert sample.modalities == {"image", "text"}
        assert (sample.text, sample.meta["picture"], sample.meta["tone"]) == (story.text, story.picture, story.tone)
        assert isinstance(sample.truth, Verdict)
        assert sample.truth.label == story.label
        assert (sample.meta["synthetic"], sample.meta["dataset"]) == (True, "synth")
        assert sample.meta["settled_by"] == story.settled_by
        assert sample.meta["shown"] in {subject.__name__ for subject in SUBJECTS[story.picture]}


def test_pictures_open_and_samples_of_a_group_show_the_same_ones(folder: Path, samples: list[Sample]) -> None:
    seen: dict[tuple[str, str], bytes] = {}
    shown = set()
    for sample in samples:
        picture = sample.media["image"]
        assert isinstance(picture, Image)
        assert isinstance(picture.source, Path)
        pixels = open_image(picture, ImageSpec(min_pixels=1, max_pixels=10**6, multiple_px=1)).image
        assert pixels.std() > 10
        shown.add(picture.source.name)
        key = str(sample.meta["group"]), str(sample.meta["picture"])
        assert seen.setdefault(key, picture.source.read_bytes()) == picture.source.read_bytes()
    assert {path.name for path in (folder / "images").iterdir()} == shown
    assert len(set(seen.values())) == len(seen) == len(shown)


def test_hold_outs_keep_groups_together(samples: list[Sample]) -> None:
    learned, held = hold_out(samples, 0.3)
    assert len(held) > 5
    assert not {sample.meta["group"] for sample in learned} & {sample.meta["group"] for sample in held}


def test_labels_are_those_of_each_modality_alone(samples: list[Sample]) -> None:
    sample = samples[0]
    both = {"image": {"picture": sample.meta["picture"]}, "text": {"tone": sample.meta["tone"]}}
    assert labels(sample) == both
    assert labels(Sample("a", {}, sample.text, meta=sample.meta)) == {"text": both["text"]}
    assert labels(Sample("a", sample.media, meta=sample.meta)) == {"image": both["image"]}
    assert labels(Sample("a", sample.media, "words", meta={"dataset": "hateful_memes"})) == {}


def test_same_bytes_whatever_the_workers(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SPLIT_FROM", 1)
    synth(tmp_path / "two", N, 7, 2)
    names = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    assert len(names) > N / 2
    assert all((folder / name).read_bytes() == (tmp_path / "two" / name).read_bytes() for name in names)


def test_more_samples_begin_with_the_same_ones(folder: Path, tmp_path: Path) -> None:
    synth(tmp_path / "few", 11, 7, 1)
    lines = [(root / "manifest.jsonl").read_text().splitlines()[:11] for root in (folder, tmp_path / "few")]
    assert lines[0] == lines[1]


def test_other_seeds_give_other_samples(folder: Path, samples: list[Sample], tmp_path: Path) -> None:
    synth(tmp_path / "other", 12, 8, 1)
    one, other = ({path.read_bytes() for path in root.rglob("*.jpg")} for root in (folder, tmp_path / "other"))
    assert one
    assert other
    assert not one & other
    others = list(read(tmp_path / "other"))
    assert not {sample.id for sample in samples} & {sample.id for sample in others}
    assert not {sample.meta["group"] for sample in samples} & {sample.meta["group"] for sample in others}


def test_synth_json_says_how_the_samples_were_made(folder: Path, samples: list[Sample]) -> None:
    about = json.loads((folder / "synth.json").read_text())
    assert (about["seed"], about["n"]) == (7, N)
    assert about["settled_by"] == dict(Counter(sample.meta["settled_by"] for sample in samples))


def test_a_folder_left_half_drawn_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(module, "_about", fail)  # the last thing before the manifest
    with pytest.raises(OSError, match="no space"):
        synth(tmp_path / "half", 4, 0, 1)
    assert not (tmp_path / "half" / "manifest.jsonl").exists()
    with pytest.raises(MediaError):
        list(read(tmp_path / "half"))


def test_a_folder_that_holds_anything_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(DataError, match="already holds files"):
        synth(tmp_path, 1, 0, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(("n", "seed", "workers"), [(0, 0, 1), (1, -1, 1), (1, 0, 0)])
def test_wrong_counts_are_refused(tmp_path: Path, n: int, seed: int, workers: int) -> None:
    with pytest.raises(DataError, match="synth wants"):
        synth(tmp_path, n, seed, workers)
