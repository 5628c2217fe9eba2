"""Files for other trainers: what stands in them, that they come back without loss, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.football.annotated import CARD, GOAL
from tests.football.films import put
from vlmkit.decoders.json import JsonDecoder
from vlmkit.errors import DataError, MediaError, UnknownNameError
from vlmkit.types import Clip, Message, Prompt, Sample, Slot
from vlmkit_plugins.football import data
from vlmkit_plugins.football.annotations import load
from vlmkit_plugins.football.exports import FORMS, Form, read, write, write_folder
from vlmkit_plugins.football.head import PROMPT, QUESTION, decoder
from vlmkit_plugins.football.schema import CLASSES, Events, parse_events

LEARNED = tuple(form for form in FORMS if form != "jsonl")


def sample(folder: Path, name: str = "a", events: Any = (GOAL,), **meta: Any) -> Sample:
    truth = None if events is None else parse_events(list(events), name)
    return Sample(name, {"video": Clip(folder / "videos" / f"{name}.mp4")}, truth=truth, meta=meta)


def rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line]


def same(one: Sample, other: Sample) -> bool:
    films = [Path(str(each.media["video"].source)).absolute() for each in (one, other)]
    return (one.id, one.truth, one.meta, films[0]) == (other.id, other.truth, other.meta, films[1])


def test_trl_rows_are_conversations_of_parts(tmp_path: Path) -> None:
    (row,) = rows(write([sample(tmp_path, source="m1")], tmp_path / "sft.jsonl", "trl"))
    assert row == {
        "id": "a",
        "messages": [
            {"role": "user", "content": [{"type": "video"}, {"type": "text", "text": QUESTION}]},
            {"role": "assistant", "content": [{"type": "text", "text": json.dumps([GOAL], separators=(",", ":"))}]},
        ],
        "videos": ["videos/a.mp4"],
        "meta": '{"source": "m1"}',
    }


def test_llava_and_ms_swift_rows_name_the_film_by_a_tag(tmp_path: Path) -> None:
    answer = json.dumps([GOAL], separators=(",", ":"))
    (row,) = json.loads(write([sample(tmp_path)], tmp_path / "sft.json", "llava").read_text(encoding="utf-8"))
    assert row == {
        "id": "a",
        "video": ["videos/a.mp4"],
        "conversations": [{"from": "human", "value": f"<video>\n{QUESTION}"}, {"from": "gpt", "value": answer}],
        "meta": "{}",
    }
    (row,) = rows(write([sample(tmp_path)], tmp_path / "sft.jsonl", "ms-swift"))
    assert row == {
        "id": "a",
        "messages": [
            {"role": "user", "content": f"<video>{QUESTION}"},
            {"role": "assistant", "content": answer},
        ],
        "videos": ["videos/a.mp4"],
        "meta": "{}",
    }


def test_the_answer_is_what_the_head_itself_learns(tmp_path: Path) -> None:
    one = sample(tmp_path, events=[CARD, GOAL])
    reader = decoder()
    assert isinstance(reader, JsonDecoder)
    for form in ("llava", "ms-swift"):
        (row,) = rows(write([one], tmp_path / f"{form}.jsonl", form))
        turns = row["conversations" if form == "llava" else "messages"]
        assert [turns[-1].get("value", turns[-1].get("content"))] == [reader.encode(one.truth)]


def test_another_question_may_be_asked(tmp_path: Path) -> None:
    asked = Prompt((Message("system", ("Be brief.",)), Message("user", ("See: ", Slot("video"), "What?"))))
    (row,) = rows(write([sample(tmp_path)], tmp_path / "a.jsonl", "llava", prompt=asked))
    assert row["conversations"][:2] == [
        {"from": "system", "value": "Be brief."},
        {"from": "human", "value": "See: <video>\nWhat?"},
    ]
    assert PROMPT.messages[0].parts == (Slot("video"), QUESTION)


@pytest.mark.parametrize("form", LEARNED)
def test_words_of_a_description_are_never_tags(tmp_path: Path, form: Form) -> None:
    said = "A <video> on <|im_end|> and </answer>, 2 < 3."
    one = sample(tmp_path, events=[{**GOAL, "description": said}])
    file = write([one], tmp_path / "a.jsonl", form)
    answer = file.read_text(encoding="utf-8").split("description")[-1]
    assert not any(tag in answer for tag in ("<video>", "<|im_end|>", "</answer>"))
    assert "2 < 3" in answer
    (back,) = read(file)
    assert back.truth is not None
    assert back.truth[0].description == said


clocks = st.integers(0, 3000).flatmap(lambda start: st.tuples(st.just(start), st.integers(start + 1, start + 500)))
texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30)
event = st.builds(
    lambda said, times, name: {
        "description": said,
        "start_time": f"0:{times[0] // 60}:{times[0] % 60}",
        "end_time": f"0:{times[1] // 60}:{times[1] % 60}",
        "event": name,
    },
    texts,
    clocks,
    st.sampled_from(CLASSES),
)
scalars = (
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False) | texts
)
metas = st.dictionaries(
    texts.filter(lambda key: key not in ("video_s", "offset_s", "source")),
    st.recursive(
        scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=6
    ),
    max_size=4,
)
films = st.text(st.characters(codec="utf-8", exclude_characters="/\\:\0"), min_size=1, max_size=20).map("{}.mp4".format)
drawn = st.lists(
    st.tuples(texts, films, st.lists(event, max_size=3), metas), min_size=1, max_size=3, unique_by=lambda one: one[0]
)


@given(drawn, st.sampled_from(FORMS), st.booleans(), st.sampled_from([".json", ".jsonl"]))
@settings(deadline=None, max_examples=40)
def test_nothing_is_lost_on_the_way_there_and_back(
    tmp_path_factory: pytest.TempPathFactory, made: list[Any], form: Form, absolute: bool, suffix: str
) -> None:
    folder = tmp_path_factory.getbasetemp() / "trip"
    folder.mkdir(exist_ok=True)
    samples = [
        Sample(name, {"video": Clip(folder / film)}, truth=parse_events(events, name), meta=meta)
        for name, film, events, meta in made
    ]
    back = read(write(samples, folder / f"rows{suffix}", form, absolute=absolute and form != "jsonl"))
    assert all(same(one, other) for one, other in zip(samples, back, strict=True))
    assert all(isinstance(one.truth, Events) for one in back)


def test_a_sample_without_truth_has_a_line_and_nothing_to_learn(tmp_path: Path) -> None:
    one = sample(tmp_path, events=None)
    (back,) = read(write([one], tmp_path / "a.jsonl", "jsonl"))
    assert same(one, back)
    for form in LEARNED:
        with pytest.raises(DataError, match="a: it has no truth, so there is nothing to learn"):
            write([one], tmp_path / "b.jsonl", form)
    assert not (tmp_path / "b.jsonl").exists()


def test_paths_are_of_the_folder_that_films_are_in(tmp_path: Path) -> None:
    one = sample(tmp_path / "data")
    (tmp_path / "out").mkdir()
    with pytest.raises(DataError, match=r"a: .*videos/a\.mp4 does not lie in .*out; give the folder"):
        write([one], tmp_path / "out" / "a.jsonl", "trl")
    file = write([one], tmp_path / "out" / "a.jsonl", "trl", root=tmp_path / "data")
    assert rows(file)[0]["videos"] == ["videos/a.mp4"]
    assert same(one, read(file, root=tmp_path / "data")[0])
    file = write([one], tmp_path / "out" / "a.jsonl", "trl", root=tmp_path / "data", absolute=True)
    assert rows(file)[0]["videos"] == [str(tmp_path / "data" / "videos" / "a.mp4")]
    assert same(one, read(file, root=tmp_path / "data")[0])
    with pytest.raises(DataError, match="wanted a path inside"):
        read(file)


def test_what_cannot_be_a_row_is_refused(tmp_path: Path) -> None:
    one = sample(tmp_path)
    with pytest.raises(UnknownNameError, match=r"unknown form 'llama'.*did you mean 'llava'"):
        write([one], tmp_path / "a.jsonl", "llama")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="there is no sample to write"):
        write([], tmp_path / "a.jsonl", "trl")
    with pytest.raises(DataError, match="1 ids come more than once: 'a'"):
        write([one, one], tmp_path / "a.jsonl", "trl")
    for source, wanted in ((b"bytes", "that is a file"), (np.zeros((1, 2, 2, 3), np.uint8), "that is a file")):
        with pytest.raises(DataError, match=wanted):
            write([Sample("a", {"video": Clip(source)}, truth=one.truth)], tmp_path / "a.jsonl", "trl")
    with pytest.raises(DataError, match="it is about 3 to None s of its film"):
        write([Sample("a", {"video": Clip(tmp_path / "a.mp4", 3)}, truth=one.truth)], tmp_path / "a.jsonl", "trl")
    for meta in ({"x": (1, 2)}, {"x": float("nan")}, {"x": {1: 2}}, {"x": Path("a")}, {"x": "\ud800"}):
        with pytest.raises(DataError, match="a: id or meta: holds what JSON does not"):
            write([sample(tmp_path, **meta)], tmp_path / "a.jsonl", "trl")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": None}, "a.jsonl:2: wanted an id, and one film; given id None"),
        ({"id": "a"}, "a.jsonl:2: id 'a' stands before it"),
        ({"videos": []}, "a.jsonl:2: wanted an id, and one film"),
        ({"videos": ["a.mp4", "b.mp4"]}, "a.jsonl:2: it is about 2 films"),
        ({"videos": ["../a.mp4"]}, "a.jsonl:2: video: wanted a path inside"),
        ({"messages": [{"role": "assistant", "content": "none"}]}, "a.jsonl:2: Expecting value"),
        ({"messages": [{"role": "assistant", "content": '[{"event":"goal"}]'}]}, "a.jsonl:2: event 0: "),
    ],
)
def test_a_row_of_somebody_else_is_read_strictly(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    file = write([sample(tmp_path)], tmp_path / "a.jsonl", "ms-swift")
    (row,) = rows(file)
    file.write_text(f"{json.dumps(row)}\n{json.dumps({**row, 'id': 'b', **change})}\n", encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read(file)
    with pytest.raises(MediaError, match="missing"):
        read(tmp_path / "gone.jsonl")


@pytest.mark.parametrize("form", LEARNED)
def test_annotations_read_the_same_files(tmp_path: Path, form: Form) -> None:
    put(tmp_path, "videos/a.mp4", "videos/b.mp4")
    samples = [sample(tmp_path, "a", [CARD, GOAL], source="m1"), sample(tmp_path, "b", [])]
    write(samples, tmp_path / "sft.jsonl", form)
    loaded = load(tmp_path)
    assert loaded.excluded == ()
    assert [(one.id, one.truth) for one in loaded.samples] == [(one.id, one.truth) for one in samples]
    assert loaded.samples[0].meta["source"] == "m1"


def test_a_folder_of_samples_is_a_data_folder(tmp_path: Path) -> None:
    put(tmp_path, "goal/1.mp4", "card/1.mp4", "card/2.mp4")
    films = ("goal/1.mp4", "card/1.mp4", "card/2.mp4", "card/2.mp4")
    samples = [
        Sample(f"s{k}", {"video": Clip(tmp_path / film)}, truth=parse_events([GOAL], ""), meta={"source": film})
        for k, film in enumerate(films)
    ]
    back = list(data.read(write_folder(samples, tmp_path / "out")))
    assert [(one.id, one.truth, one.meta) for one in back] == [(one.id, one.truth, one.meta) for one in samples]
    for one, film in zip(back, films, strict=True):
        assert Path(str(one.media["video"].source)).read_bytes() == (tmp_path / film).read_bytes()
    assert len(list((tmp_path / "out" / "videos").iterdir())) == 3
    with pytest.raises(DataError, match=r"holds a manifest\.jsonl already"):
        write_folder(samples, tmp_path / "out")
    with pytest.raises(MediaError, match="missing"):
        write_folder([sample(tmp_path, "gone")], tmp_path / "other")
