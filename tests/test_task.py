"""What a task says of itself."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.evaluate.sure import Spam, task
from vlmkit.cli.output import rendered
from vlmkit.evaluate import read_predictions
from vlmkit.testing.fakes import Colour, colours
from vlmkit.types import Prediction, Problem

TASK = task()


def test_a_line_among_others_says_which_sample_it_is_about_and_one_answer_is_what_was_promised(tmp_path: Path) -> None:
    said = [Prediction("a/1", Spam("yes", "en", 0.75)), Prediction("b", Spam("no", "de", 0.25))]
    alone = rendered(TASK, said[0], "task", several=False)
    assert alone is not None
    assert json.loads(alone).keys() == {"label", "tongue", "p"}
    assert "\n" in alone
    file = tmp_path / "answers.jsonl"
    file.write_text("".join(f"{rendered(TASK, one, 'task', several=True)}\n" for one in said))
    assert len(file.read_text().splitlines()) == 2
    assert [(one.sample_id, one.value) for one in read_predictions(TASK, file)] == [
        (one.sample_id, one.value) for one in said
    ]


def test_nothing_is_added_where_the_record_tells_already_or_cannot_be_read_at_all() -> None:
    one = Prediction("a", Colour("red", 3))
    assert colours().joinable(one) == colours().to_json(one)

    def unread(record: Any) -> Any:
        raise KeyError(record)

    lost: Any = replace(TASK, from_json=unread)
    assert lost.joinable(Prediction("a", Spam("no"))).keys() == {"label", "tongue", "p"}


def test_what_has_no_value_has_no_line_of_the_task_but_a_whole_record() -> None:
    silent = Prediction[Spam]("a", None, (Problem("media_missing", "gone", fatal=True),))
    assert rendered(TASK, silent, "task", several=True) is None
    told = rendered(TASK, silent, "record", several=True)
    assert told is not None
    assert json.loads(told)["sample_id"] == "a"
