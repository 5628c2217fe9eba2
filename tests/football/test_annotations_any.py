"""Whatever stands in an annotation file: every row is a sample or an exclusion, and nothing breaks."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.football.annotated import GOAL
from tests.football.films import put
from vlmkit_plugins.football.annotations import LATE_INSTANT_S, load
from vlmkit_plugins.football.rows import Excluded, read_file
from vlmkit_plugins.football.schema import CLASSES, sieve

KEYS = [
    "id", "video", "videos", "video_path", "events", "all_events", "annotations", "truth", "completion", "messages",
    "conversations", "analysis", "meta", "metadata", "source", "offset_s", "role", "from", "content", "value", "text",
    *GOAL, "event_type", "class", "label", "timestamp", "time", "startTime", "endTime", "x",
]  # fmt: skip
WORDS = ["", "a.mp4", "b.mp4", "../a.mp4", "goal", "Red Card", "assistant", "gpt", "[]", '{"events": []}', "0:0:3",
         "9 s", "0:1:32", "HT", "```json\n[]\n```", "\ud800", "\x00", "<answer>[]</answer>"]  # fmt: skip
leaves = st.none() | st.booleans() | st.sampled_from(WORDS) | st.integers(-5, 20) | st.floats() | st.text(max_size=5)
events = st.fixed_dictionaries(
    {"description": leaves, "event": st.sampled_from([*CLASSES, "goal", "nap", 3]), "start_time": leaves},
    optional={"end_time": leaves, "timestamp": leaves, "confidence": leaves},
)
values = st.recursive(
    leaves | events,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=12,
)


@given(values, st.sampled_from([".json", ".jsonl"]), st.booleans(), st.booleans())
@settings(deadline=None, max_examples=100)
def test_any_document_is_read_or_named(
    tmp_path_factory: pytest.TempPathFactory, value: Any, suffix: str, partial: bool, widen: bool
) -> None:
    folder = tmp_path_factory.getbasetemp() / "any"
    if not folder.exists():
        put(folder, "a.mp4", "b.mp4")
    file = folder / f"a{suffix}"
    text = (
        json.dumps(value)
        if suffix == ".json"
        else "\n".join(map(json.dumps, value if isinstance(value, list) else [value]))
    )
    file.write_text(text, encoding="utf-8")
    loaded = load(folder, partial=partial, instant=LATE_INSTANT_S if widen else None)
    rows = list(read_file(file, file.name))
    file.unlink()
    told = {one.where for one in loaded.excluded} | {str(one.meta["annotation"]) for one in loaded.samples}
    assert all(any(at.startswith(row.where) or row.where.startswith(at) for at in told) for row in rows)
    assert {one for one in rows if isinstance(one, Excluded)} <= set(loaded.excluded)
    assert len({sample.id for sample in loaded.samples}) == len(loaded.samples)
    for sample in loaded.samples:
        assert sample.truth is not None
        assert sieve(sample.truth, sample).problems == ()
        starts = [event.start_s for event in sample.truth.root]
        assert starts == sorted(starts)
