from __future__ import annotations

import json
from collections import Counter
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pytest

from vlmkit.errors import DataError
from vlmkit.media.audio import open_audio
from vlmkit.media.image import open_image
from vlmkit.media.spec import AudioSpec, ImageSpec, VideoSpec
from vlmkit.media.video import open_video
from vlmkit.types import Clip, Image, Sample, Sound
from vlmkit_plugins.purrsight import synth as module
from vlmkit_plugins.purrsight import wording
from vlmkit_plugins.purrsight.data import read
from vlmkit_plugins.purrsight.schema import MARKERS, NOT_OBSERVED, VOCABULARY, CatReport, parse_report
from vlmkit_plugins.purrsight.synth import KINDS, sample_id, synth, tell

N = 36


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("synth") / "data"
    synth(path, N, 7, 1)
    return path


@pytest.fixture(scope="module")
def samples(folder: Path) -> list[Sample]:
    return list(read(folder))


def test_the_shares_name_the_whole_vocabulary() -> None:
    assert tuple(module.MARKERS) == MARKERS
    for name, shares in module.MARKERS.items():
        assert [*shares, NOT_OBSERVED] == list(VOCABULARY[name])
        assert sum(shares.values()) == pytest.approx(1)
    assert sum(KINDS.values()) == pytest.approx(1)


def test_markers_are_drawn_independently_of_each_other_and_of_the_modalities() -> None:
    drawn = [tell(11, index) for index in range(2000)]
    columns = {name: [story.latent[name] for story in drawn] for name in MARKERS}
    columns["modalities"] = ["+".join(story.modalities) for story in drawn]
    for one, other in combinations(columns, 2):
        firsts, seconds = Counter(columns[one]), Counter(columns[other])
        both = Counter(zip(columns[one], columns[other], strict=True))
        expected = {(a, b): firsts[a] * seconds[b] / len(drawn) for a, b in product(firsts, seconds)}
        chi2 = sum((both[pair] - share) ** 2 / share for pair, share in expected.items())
        freedom = (len(firsts) - 1) * (len(seconds) - 1)
        assert chi2 < freedom + 4 * np.sqrt(2 * freedom), (one, other)


def test_every_truth_obeys_the_schema_and_states_just_what_its_modalities_tell() -> None:
    risks: Counter[str | int] = Counter()
    for index in range(1500):
        story = tell(12, index)
        report = parse_report(story.truth, sample_id(12, index))  # the risk rule is part of the schema
        seen = bool({"image", "video"} & set(story.modalities))
        for name in MARKERS:
            told = name in story.mentioned or (seen if name != "vocalization" else "audio" in story.modalities)
            assert report.fields[name] == (story.latent[name] if told else NOT_OBSERVED)
        risks[report.fields["risk_rating"]] += 1
    assert 0.33 < (risks[4] + risks[5]) / 1500 < 0.4
    assert set(risks) == {1, 2, 3, 4, 5, NOT_OBSERVED}


def test_samples_bring_what_their_meta_says(samples: list[Sample]) -> None:
    assert len(samples) == N
    for sample in samples:
        brought = sample.modalities - {"audio"} | (set(sample.meta["modalities"]) & {"audio"})
        assert sorted(brought) == sample.meta["modalities"]
        assert sample.meta["synthetic"] is True
        assert isinstance(sample.truth, CatReport)
        assert len(sample.truth.behavioral_summary) <= 200
        assert len(sample.truth.human_actionable_insight) <= 40


def test_texts_mention_what_the_truth_says_and_nothing_else(samples: list[Sample]) -> None:
    n_texts = 0
    for sample in samples:
        if sample.text is None:
            continue
        n_texts += 1
        assert isinstance(sample.truth, CatReport)
        text = sample.text.lower()
        said = {
            (name, value)
            for name, values in wording.PHRASES.items()
            for value, ways in values.items()
            if any(way in text for way in ways)
        }
        assert 1 <= len(said) <= wording.MOST_MENTIONED
        assert all(sample.truth.fields[name] == value for name, value in said)
        if sample.meta["modalities"] == ["text"]:
            assert {name for name in MARKERS if sample.truth.fields[name] != NOT_OBSERVED} == {n for n, _ in said}
    assert n_texts > 5


def test_files_open(samples: list[Sample]) -> None:
    opened: Counter[str] = Counter()
    for sample in samples:
        hears = "audio" in sample.meta["modalities"]
        for media in sample.media.values():
            opened[type(media).__name__ + ("+" if hears and isinstance(media, Clip) else "")] += 1
            if isinstance(media, Image):
                picture = open_image(media, ImageSpec(min_pixels=1, multiple_px=1))
                assert (picture.size_px, picture.notes) == ((192, 192), ())
            if isinstance(media, Clip):
                film = open_video(media, VideoSpec(sampler="uniform", frames=4, min_pixels=1, multiple_px=2))
                assert (film.size_px, film.notes) == ((160, 160), ())
                assert 1.9 <= film.duration_s <= 4
            if isinstance(media, Sound) or (isinstance(media, Clip) and hears):
                assert open_audio(media, AudioSpec(window_s=1.0)).samples.std() > 1e-5
    assert set(opened) == {"Image", "Sound", "Clip", "Clip+"}


def test_the_same_seed_gives_the_same_bytes_with_any_number_of_workers(folder: Path, tmp_path: Path) -> None:
    synth(tmp_path / "two", N, 7, 2)
    names = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    assert len(names) > N / 2
    assert all((folder / name).read_bytes() == (tmp_path / "two" / name).read_bytes() for name in names)


def test_other_seeds_give_other_samples(folder: Path, tmp_path: Path) -> None:
    synth(tmp_path / "other", 12, 8, 1)
    one, other = (
        {path.read_bytes() for path in root.rglob("*") if path.suffix in (".jpg", ".wav", ".mp4")}
        for root in (folder, tmp_path / "other")
    )
    assert one and other and not one & other
    assert not {s.id for s in read(folder)} & {s.id for s in read(tmp_path / "other")}


def test_synth_json_says_how_the_samples_were_made(folder: Path, samples: list[Sample]) -> None:
    about = json.loads((folder / "synth.json").read_text())
    assert (about["seed"], about["n"]) == (7, N)
    assert about["modalities"] == dict(Counter("+".join(sample.meta["modalities"]) for sample in samples))


def test_a_folder_that_holds_anything_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(DataError, match="already holds files"):
        synth(tmp_path, 1, 0, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(("n", "seed", "workers"), [(0, 0, 1), (1, -1, 1), (1, 0, 0)])
def test_wrong_counts_are_refused(tmp_path: Path, n: int, seed: int, workers: int) -> None:
    with pytest.raises(DataError, match="synth wants"):
        synth(tmp_path, n, seed, workers)
