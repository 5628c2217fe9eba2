from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlmkit.errors import DataError
from vlmkit.times import Stretch, hms, mmss, parse_time

LONG_S = 200_000  # two days and more
MILLIS = st.integers(0, LONG_S * 1000)


@pytest.mark.parametrize(
    ("given_", "seconds"),
    [
        ("0:1:32", 92.0),
        ("0:00:05", 5.0),
        ("0:0:0", 0.0),
        ("1:59:59", 7199.0),
        ("01:02:03.25", 3723.25),
        ("00:00:05,500", 5.5),  # as subtitles write it
        ("0:10", 10.0),
        ("0:15", 15.0),
        ("00:19", 19.0),
        ("90:12", 5412.0),  # minutes may lead, however many
        ("01:32.5", 92.5),
        ("1:2.5", 62.5),
        (" 0:1:32\n", 92.0),
        (0, 0.0),
        (12, 12.0),
        (12.5, 12.5),
        (np.float32(0.5), 0.5),
        (np.int64(7), 7.0),
        ("12", 12.0),
        ("012.50", 12.5),
        ("10,5", 10.5),
        ("10.5 s", 10.5),
        ("10.5s", 10.5),
        ("10.5 Seconds", 10.5),
        ("1 sec", 1.0),
        ("1500 ms", 1.5),
        ("250ms", 0.25),
        ("2 min", 120.0),
        ("1m32s", 92.0),
        ("1 min 32.5 s", 92.5),
        ("1h 2m 3s", 3723.0),
        ("1h", 3600.0),
        ("3 s 250 ms", 3.25),
    ],
)
def test_every_form_is_read(given_: str | float, seconds: float) -> None:
    assert parse_time(given_) == pytest.approx(seconds, abs=1e-9)


@pytest.mark.parametrize(
    ("given_", "why"),
    [
        ("first half", "'first half' is a word"),
        ("1st half 0:12", "'half' is a word"),
        ("period 2", "'period' is a word"),
        ("HT", "'HT' is a word"),
        ("FT", "'FT' is a word"),
        ("ET 0:10", "'ET' is a word"),
        ("Extra Time", "'Extra Time' is a word"),
        ("extra-time", "'extra-time' is a word"),
        ("0:10 - end", "'end' is a word"),
        ("unknown", "'unknown' is a word"),
        ("nan", "'nan' is a word"),
        ("inf", "'inf' is a word"),
        ("1e3", "another form"),
        ("\N{ARABIC-INDIC DIGIT ONE}:10", "another form"),  # no grammar of ours writes other digits
        ("45+2", "another form"),  # added time of a match, no time in a film
        ("67'", "another form"),
        ("0:10-0:15", "another form"),
        ("1_000", "another form"),
        (":12", "another form"),
        ("0:", "another form"),
        ("0:1:2:3", "more than hours, minutes and seconds"),
        ("-5", "before the film starts"),
        ("-0:05", "before the film starts"),
        (-5, "before the film starts"),
        (-1e-9, "before the film starts"),
        (math.nan, "no finite number"),
        (math.inf, "no finite number"),
        (10**400, "no finite number"),
        ("9" * 400, "another form"),
        ("0:0:60", "seconds after minutes are below 60"),
        ("1:75", "seconds after minutes are below 60"),
        ("0:90:00", "minutes after hours are below 60"),
        ("1,500", "a comma before three digits"),
        ("1,500 s", "a comma before three digits"),
        ("", "there is none"),
        ("  ", "there is none"),
        (None, "there is none"),
        (True, "bool is no time"),
        ([3], "list is no time"),
        ({"s": 3}, "dict is no time"),
    ],
)
def test_what_is_no_time_is_refused_with_its_reason(given_: object, why: str) -> None:
    with pytest.raises(DataError) as caught:
        parse_time(given_, "row 7: end_time")
    assert str(caught.value).startswith("row 7: end_time: wanted a time such as 0:1:32")
    assert why in str(caught.value)


@given(st.text(alphabet="0123456789:., smhinHTFE-+'", max_size=12) | st.text(max_size=8))
def test_any_text_is_a_time_or_a_data_error(text: str) -> None:
    try:
        found = parse_time(text)
    except DataError:
        return
    assert math.isfinite(found)
    assert found >= 0


@given(st.integers(0, LONG_S))
def test_whole_seconds_go_through_text_and_back(seconds: int) -> None:
    assert parse_time(hms(seconds)) == parse_time(mmss(seconds)) == seconds


@given(MILLIS, st.integers(1, 3))
def test_fractions_go_through_text_and_back(millis: int, places: int) -> None:
    back = parse_time(mmss(millis / 1000, places))
    assert abs(back - millis / 1000) <= 0.5 * 10**-places + 1e-9
    assert mmss(back, places) == mmss(millis / 1000, places)


@given(st.floats(0, LONG_S))
def test_text_is_the_nearest_second_and_never_shows_a_sixty(seconds: float) -> None:
    for text in (hms(seconds), mmss(seconds), mmss(seconds, 1)):
        assert abs(parse_time(text) - seconds) <= 0.5 + 1e-9  # a field of 60 would not be read at all


def test_how_times_are_written() -> None:
    assert [hms(s) for s in (0, 0.49, 0.5, 92, 3599.5, 7199)] == [
        "0:0:0",
        "0:0:0",
        "0:0:1",
        "0:1:32",
        "1:0:0",
        "1:59:59",
    ]
    assert [mmss(s) for s in (0, 5, 92.5, 6000)] == ["00:00", "00:05", "01:33", "100:00"]
    assert [mmss(s, 1) for s in (5.04, 5.05, 59.96)] == ["00:05.0", "00:05.1", "01:00.0"]
    assert mmss(92.0625, 3) == "01:32.063"


@pytest.mark.parametrize("seconds", [-0.1, math.nan, math.inf])
def test_what_is_no_time_is_not_written(seconds: float) -> None:
    for write in (hms, mmss):
        with pytest.raises(DataError, match="wanted seconds of 0 or more"):
            write(seconds)


@pytest.mark.parametrize(("start_s", "end_s"), [(2.0, 1.0), (math.nan, 1.0), (0.0, math.inf)])
def test_a_stretch_goes_forward(start_s: float, end_s: float) -> None:
    with pytest.raises(DataError, match="starts before it ends"):
        Stretch(start_s, end_s)


def test_frames_include_the_last_one() -> None:
    assert Stretch.from_frames(0, 3, 4.0) == Stretch(0.0, 1.0)
    assert Stretch(0.0, 1.0).frames(4.0) == (0, 3)
    assert Stretch(0.1, 1.1).frames(4.0) == (1, 4)
    assert Stretch(0.25, 0.26).frames(4.0) == (1, 1)


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (lambda: Stretch(0.1, 0.2).frames(4.0), "no frame of 4 a second begins from 0.1 up to 0.2 s"),
        (lambda: Stretch(0, 1).frames(0.0), "a rate above 0"),
        (lambda: Stretch.from_frames(0, 1, math.nan), "a rate above 0"),
        (lambda: Stretch.from_frames(3, 2, 4.0), "given 3 to 2"),
    ],
)
def test_frames_that_cannot_be(made: object, text: str) -> None:
    with pytest.raises(DataError, match=text):
        made()  # type: ignore[operator]


RATES = st.sampled_from([4.0, 12.0, 23.976, 25.0, 29.97, 30000 / 1001, 50.0, 240.0])


@given(st.integers(0, 10**6), st.integers(0, 10**4), RATES)
def test_frames_go_through_seconds_and_back(first: int, more: int, fps: float) -> None:
    assert Stretch.from_frames(first, first + more, fps).frames(fps) == (first, first + more)


@given(st.lists(MILLIS, min_size=3, max_size=3), RATES)
def test_stretches_that_meet_share_no_frame(millis: list[int], fps: float) -> None:
    a_s, b_s, c_s = (ms / 1000 for ms in sorted(millis))
    shown: list[set[int]] = []
    for stretch in (Stretch(a_s, b_s), Stretch(b_s, c_s)):
        try:
            first, last = stretch.frames(fps)
        except DataError:
            shown.append(set())
        else:
            shown.append({first, last})
    assert not (shown[0] & shown[1])
    assert Stretch(a_s, b_s).overlap_s(Stretch(b_s, c_s)) == 0.0


STRETCHES = st.tuples(MILLIS, MILLIS).map(lambda ends: Stretch(min(ends) / 1000, max(ends) / 1000))


@given(STRETCHES, STRETCHES)
def test_overlap_and_union_are_those_of_sets(one: Stretch, other: Stretch) -> None:
    assert one.overlap_s(other) == other.overlap_s(one) <= min(one.length_s, other.length_s) + 1e-9
    assert one.overlap_s(other) + one.union_s(other) == pytest.approx(one.length_s + other.length_s)
    assert one.tiou(other) == pytest.approx(other.tiou(one))
    assert 0.0 <= one.tiou(other) <= 1.0
    assert one.tiou(one) == (1.0 if one.length_s else 0.0)
    inside = one.clamped(other)
    assert (inside.length_s if inside else 0.0) == one.overlap_s(other)


def test_the_union_leaves_out_what_lies_between() -> None:
    assert Stretch(0, 1).union_s(Stretch(9, 10)) == 2.0
    assert Stretch(0, 10).tiou(Stretch(5, 15)) == pytest.approx(1 / 3)
    assert Stretch(0, 1).clamped(Stretch(1, 2)) is None
    assert Stretch(-2, 3).clamped(Stretch(0, 2)) == Stretch(0, 2)


@given(STRETCHES, st.integers(0, LONG_S))
def test_a_clip_goes_to_its_session_and_back(stretch: Stretch, clip_start_s: int) -> None:
    there = stretch.to_session(clip_start_s)
    back = there.to_clip(clip_start_s)
    assert there.start_s == pytest.approx(stretch.start_s + clip_start_s)
    assert (back.start_s, back.end_s) == pytest.approx((stretch.start_s, stretch.end_s), abs=1e-6)


def test_what_began_before_the_clip_is_cut_to_it() -> None:
    inside = Stretch(100.0, 110.0).to_clip(104.0)
    assert inside == Stretch(-4.0, 6.0)
    assert inside.clamped(Stretch(0.0, 30.0)) == Stretch(0.0, 6.0)
