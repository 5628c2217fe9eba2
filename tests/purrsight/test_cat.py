from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Pillow

from vlmkit.media.audio import open_audio
from vlmkit.media.spec import AudioSpec, VideoSpec
from vlmkit.media.video import open_video
from vlmkit.types import Clip
from vlmkit_plugins.purrsight import anatomy, camera, cat
from vlmkit_plugins.purrsight.film import SIZE_PX, film, write_film
from vlmkit_plugins.purrsight.schema import NOT_OBSERVED, VOCABULARY
from vlmkit_plugins.purrsight.sounds import RATE_HZ, sound

SEEN = ("ears", "tail", "posture")
CHOICES = {name: [str(value) for value in VOCABULARY[name] if value != NOT_OBSERVED] for name in SEEN}
CALM = {"ears": "forward", "tail": "neutral", "posture": "relaxed"}


def all_markers() -> Iterator[dict[str, str]]:
    for values in product(*CHOICES.values()):
        yield dict(zip(CHOICES, values, strict=True))


def silhouette(markers: dict[str, str], moment: cat.Moment) -> NDArray[np.bool_]:
    """The same cat in the same place, on white, at 96 pixels."""
    look = cat.style(np.random.default_rng(3))
    where = cat.Place(np.eye(2) * 1.05, np.array([25.0, 60.0]))
    picture = Pillow.new("RGB", (192, 192), "white")
    cat.paint(picture, markers, look, moment, where)
    return np.asarray(picture.resize((96, 96)).convert("L")) < 250


def test_pictures_have_the_size_that_was_asked_for() -> None:
    rng = np.random.default_rng(0)
    for markers in list(all_markers())[::3]:
        pixels = cat.draw(markers, rng, 64)
        assert pixels.dtype == np.dtype(np.uint8)
        assert pixels.shape == (64, 64, 3)
        assert pixels.std() > 5


@pytest.mark.parametrize("changed", SEEN)
def test_every_value_changes_the_picture_and_no_other_marker_hides_it(changed: str) -> None:
    for markers in list(all_markers())[::13]:
        shapes = [silhouette({**markers, changed: value}, cat.Moment(has_arcs=True)) for value in CHOICES[changed]]
        for k, one in enumerate(shapes):
            for other in shapes[k + 1 :]:
                assert (one != other).sum() >= 40, (changed, markers)


def test_ears_and_tail_leave_the_rest_as_it_is() -> None:
    calm, other = (silhouette({**CALM, "ears": ears}, cat.Moment()) for ears in ("forward", "sideways"))
    rows, _ = np.nonzero(calm != other)
    assert rows.max() < 60  # the head is above
    calm, other = (silhouette({**CALM, "tail": tail}, cat.Moment()) for tail in ("neutral", "upright"))
    _, columns = np.nonzero(calm != other)
    assert columns.min() > 45  # it looks left, the tail is on the right


def test_nothing_is_cut_off() -> None:
    for k, markers in enumerate(all_markers()):
        rng = np.random.default_rng(k)
        look = cat.style(rng)
        where = cat.place(markers, look, 192, rng)
        root = anatomy.BODIES[markers["posture"]].root
        for swing in (0.0, 1.6, 3.1, 4.7):
            line, half = anatomy.tail(markers["tail"], root, swing, look.slant)
            dots = anatomy.ribbon(line, half) @ where.turn + where.shift
            assert dots.min() >= 0 and dots.max() <= 192, markers


def test_pictures_are_fixed_by_their_seed_and_differ_otherwise() -> None:
    one, again, other = (cat.draw(CALM, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_a_camera_without_noise_and_blur_only_bends_the_colours() -> None:
    seen = camera.Exposure(tuple(range(255, -1, -1)) * 3, blur_px=0.0, noise=0.0, is_grey=False)
    assert np.asarray(seen.develop(Pillow.new("RGB", (2, 2), (10, 20, 30)))).tolist() == [[[245, 235, 225]] * 2] * 2


def test_a_lashing_tail_moves_more_than_any_other() -> None:
    moved = {}
    for tail in CHOICES["tail"]:
        one, other = (silhouette({**CALM, "tail": tail}, cat.Moment(swing)) for swing in (0.0, 3.14))
        moved[tail] = int((one != other).sum())
    assert moved.pop("lashing") > 3 * max(moved.values())


def test_films_open_with_and_without_a_track(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    frames = list(film({**CALM, "tail": "lashing"}, rng, 2.0, 12))
    assert len(frames) == 24
    assert {frame.shape for frame in frames} == {(SIZE_PX, SIZE_PX, 3)}
    write_film(tmp_path / "mute.mp4", frames, 12)
    write_film(tmp_path / "sound.mp4", frames, 12, sound("meow", rng, 2.0))
    for name, n_tracks in (("mute.mp4", 0), ("sound.mp4", 1)):
        with av.open(str(tmp_path / name)) as container:
            assert len(container.streams.audio) == n_tracks
        decoded = open_video(Clip(tmp_path / name), VideoSpec(fps=12, min_pixels=1, multiple_px=2))
        assert decoded.images.shape == (24, SIZE_PX, SIZE_PX, 3)
        assert decoded.notes == ()
        assert np.abs(decoded.images.astype(int) - np.stack(frames)).mean() < 9


@pytest.mark.parametrize("voice", ["silent", "chirp"])
def test_a_track_is_heard_when_it_was_made(tmp_path: Path, voice: str) -> None:
    rng = np.random.default_rng(6)
    track = sound(voice, rng, 2.0)
    write_film(tmp_path / "film.mp4", film(CALM, rng, 2.0, 12), 12, track)
    heard = open_audio(Clip(tmp_path / "film.mp4"), AudioSpec(rate_hz=RATE_HZ, window_s=1.0)).samples
    assert np.corrcoef(heard[: len(track)], track)[0, 1] > 0.95
