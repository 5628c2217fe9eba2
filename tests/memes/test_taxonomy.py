from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from vlmkit.errors import DataError, UnknownNameError
from vlmkit.types import Sample
from vlmkit_plugins.memes import taxonomy
from vlmkit_plugins.memes.schema import Labels, parse_labels
from vlmkit_plugins.memes.taxonomy import coverage, datasets, labels, load


def mapped(dataset: str, raw: Any) -> tuple[Any, Any, Any, Any]:
    unknown: Counter[str] = Counter()
    found = labels(dataset, raw, "row 1", unknown)
    assert not unknown
    assert found.aux == {"dataset": dataset, "labels_raw": raw}
    return found.abuse_hate, found.offensive, found.target_type, found.target_group


@pytest.mark.parametrize(
    ("dataset", "raw", "wanted"),
    [
        ("hateful_memes", 1, (1, None, None, None)),
        ("hateful_memes", {"label": "0"}, (0, None, None, None)),
        ("hateful_memes", None, (None, None, None, None)),
        ("hateful_memes", {"label": None}, (None, None, None, None)),
        ("mami", {"misogynous": 1, "shaming": 0, "stereotype": 1}, (1, None, "group", ("gender",))),
        ("mami", {"misogynous": 0, "shaming": 0}, (0, None, None, None)),
        ("mami", {"misogynous": 1.0}, (1, None, "group", ("gender",))),
        ("mmhs150k", {"labels": [4, 1, 3], "tweet_url": "x"}, (1, None, "group", None)),
        ("mmhs150k", {"labels": [1, 1, 5]}, (1, None, "group", ("race",))),
        ("mmhs150k", {"labels_str": ["Religion", "Religion", "NotHate"]}, (1, None, "group", ("religion",))),
        ("mmhs150k", [0, 0, 2], (0, None, "none", ())),
        ("mmhs150k", [0, 2], (None, None, None, None)),  # a tie is unknown
        ("mmhs150k", [5, 5, 0], (1, None, None, ("other",))),
        ("memotion1", {"offensive": "hateful_offensive", "sarcasm": "general"}, (1, 1, None, None)),
        ("memotion1", {"offensive": "slight"}, (0, 1, None, None)),
        ("memotion2", {"offensive": "not_offensive", "sarcastic": "very_sarcastic"}, (0, 0, None, None)),
        (
            "hatexplain",
            [
                {"label": "hatespeech", "annotator_id": 1, "target": ["African", "Women"]},
                {"label": "hatespeech", "annotator_id": 2, "target": ["African"]},
                {"label": "normal", "annotator_id": 3, "target": ["None"]},
            ],
            (1, 1, "group", ("race",)),
        ),
        (
            "hatexplain",
            {"annotators": {"label": [0, 1, 2], "target": [["Islam"], ["None"], ["None"]]}},
            (0, 1, "none", ()),
        ),
        ("olid", {"subtask_a": "NOT", "subtask_b": None, "subtask_c": ""}, (0, 0, "none", ())),
        ("olid", {"subtask_a": "OFF", "subtask_b": "UNT"}, (None, 1, "none", ())),
        ("olid", {"subtask_a": "OFF", "subtask_b": "TIN", "subtask_c": "IND"}, (None, 1, "individual", None)),
        ("olid", {"subtask_a": "OFF", "subtask_b": "TIN", "subtask_c": "GRP"}, (1, 1, "group", None)),
        ("synth", {"label": 1}, (1, None, None, None)),
    ],
)
def test_labels_come_into_the_taxonomy(dataset: str, raw: Any, wanted: tuple[Any, ...]) -> None:
    assert mapped(dataset, raw) == wanted


@pytest.mark.parametrize(
    ("dataset", "raw", "counted"),
    [
        ("hateful_memes", 2, {"hateful_memes.label '2'": 1}),
        ("hateful_memes", float("nan"), {}),
        ("hateful_memes", 0.5, {"hateful_memes.label '0.5'": 1}),
        ("mmhs150k", [0, 6, 7], {"mmhs150k.labels '6'": 1, "mmhs150k.labels '7'": 1}),
        ("memotion1", {"offensive": "slightly"}, {"memotion1.offensive 'slightly'": 1}),
        ("hatexplain", [{"label": "hate", "target": ["Goths"]}], None),
        ("hatexplain", ["normal"], {"hatexplain.annotators.target 'normal'": 1}),
        ("olid", {"subtask_a": {"x": 1}}, {"olid.subtask_a \"{'x': 1}\"": 1}),
    ],
)
def test_unknown_values_are_counted_by_name(dataset: str, raw: Any, counted: dict[str, int] | None) -> None:
    unknown: Counter[str] = Counter()
    labels(dataset, raw, "row 1", unknown)
    wanted = {"hatexplain.annotators.label 'hate'": 1, "hatexplain.annotators.target 'goths'": 1}
    assert dict(unknown) == (wanted if counted is None else counted)


def test_an_object_without_the_columns_is_an_error() -> None:
    with pytest.raises(DataError, match=r"row 9: labels_raw: has 'misogynistic'; mami has .*misogynous"):
        labels("mami", {"misogynistic": 1}, "row 9", Counter())
    with pytest.raises(UnknownNameError, match="did you mean 'mami'"):
        labels("mammi", 1, "row 9", Counter())


@pytest.mark.parametrize("dataset", datasets())
def test_every_map_is_sound(dataset: str) -> None:
    rules = load(dataset)
    assert rules.dataset == dataset
    assert set(rules.labels) <= set(taxonomy.LABELS)
    assert "abuse_hate" in rules.labels
    for name, rule in rules.labels.items():
        answers = [case["label"] for case in rule["cases"]] if "cases" in rule else list(rule["values"].values())
        for answer in answers:
            parse_labels({name: answer}, dataset)
        used = next((rule[kind] for kind in ("of", "any_of", "majority_of", "groups_of") if kind in rule), None)
        for column in [used] if isinstance(used, str) else used or []:
            assert set(rule["values"]) <= rules.columns[column], (name, column)
        for case in rule.get("cases", ()):
            assert all(value in rules.columns[column] for column, value in case["when"].items())


def test_the_seven_data_sets_and_ours_have_a_map() -> None:
    assert set(datasets()) == {
        "hateful_memes", "hatexplain", "mami", "memotion1", "memotion2", "mmhs150k", "olid", "synth",
    }  # fmt: skip


def test_coverage_counts_what_is_known() -> None:
    def sample(dataset: str, **known: Any) -> Sample:
        made = json.loads(Labels(**known).model_dump_json())
        return Sample("x", text="x", meta={"dataset": dataset, "labels": made})

    rows = coverage([
        sample("a", abuse_hate=1, offensive=1),
        sample("a", abuse_hate=0, target_group=()),
        sample("a"),
        sample("b", target_type="group"),
        Sample("plain", text="x"),
    ])  # fmt: skip
    assert [(row.dataset, row.n, dict(row.known), row.hateful) for row in rows] == [
        ("None", 1, {"abuse_hate": 0, "offensive": 0, "target_type": 0, "target_group": 0}, 0),
        ("a", 3, {"abuse_hate": 2, "offensive": 1, "target_type": 0, "target_group": 1}, 1),
        ("b", 1, {"abuse_hate": 0, "offensive": 0, "target_type": 1, "target_group": 0}, 0),
    ]
    assert str(rows[1]).startswith("a: 3 samples; known: abuse_hate 2, offensive 1")
