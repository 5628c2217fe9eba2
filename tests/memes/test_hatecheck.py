from __future__ import annotations

from pathlib import Path

import pytest

import vlmkit
from vlmkit.errors import DataError, VlmkitError
from vlmkit.types import Sample
from vlmkit_plugins.memes.data import read
from vlmkit_plugins.memes.hatecheck import read_hatecheck

ENGLISH = """\
,functionality,case_id,test_case,label_gold,target_ident,direction,focus_words
0,derog_neg_emote_h,1,I dislike all blorps. ,hateful,women,general,dislike
1,ident_neutral_nh,2,"They are blorps, you know.",non-hateful,Muslims,,
2,target_obj_nh,3,This chair is bad.,non-hateful,,,
"""
GERMAN = """\
mhc_case_id,functionality,test_case,label_gold,target_ident,ref_case_id
german-1,derog_neg_emote_h,Blorpse sind übel.,hateful,refugees,
german-2,ident_pos_nh,Blorpse sind nett.,non-hateful,martians,
"""


def table(folder: Path, text: str, name: str = "cases.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_hatecheck_becomes_words_with_truth(tmp_path: Path) -> None:
    first, second, third = read(table(tmp_path, ENGLISH))
    assert first.id == "hatecheck_test_1"
    assert first.text == "I dislike all blorps."
    assert not first.media
    assert [sample.truth.label for sample in (first, second, third) if sample.truth] == [1, 0, 0]
    assert first.meta["functionality"] == "derog_neg_emote_h"
    assert first.meta["target_ident"] == "women"
    assert first.meta["labels"]["target_group"] == ["gender"]
    assert second.meta["labels"]["target_group"] == []
    assert third.meta["target_ident"] == "none"
    assert "lang" not in first.meta  # its file does not say


def test_multilingual_hatecheck_knows_its_language(tmp_path: Path) -> None:
    first, second = read_hatecheck(table(tmp_path, GERMAN))
    assert first.id == "hatecheck_test_german-1"
    assert (first.meta["language"], first.meta["lang"]) == ("german", "de")
    assert first.meta["labels"]["target_group"] == ["nationality"]
    assert second.meta["labels"]["target_group"] == []


def test_a_group_that_the_taxonomy_lacks_is_unknown(tmp_path: Path) -> None:
    first, _ = read_hatecheck(table(tmp_path, GERMAN.replace("refugees", "left-handed people")))
    assert first.meta["labels"]["target_group"] is None
    assert first.meta["target_ident"] == "left-handed people"


def test_a_folder_of_tables_is_read_together(tmp_path: Path) -> None:
    table(tmp_path, ENGLISH, "en.csv")
    table(tmp_path, GERMAN, "de.csv")
    table(tmp_path, "a,b\n1,2\n", "other.csv")
    assert len(list(read(tmp_path))) == 5
    table(tmp_path, ENGLISH, "again.csv")
    with pytest.raises(DataError, match="3 ids come in several files, such as 'hatecheck_test_1'"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("label_gold", "gold", r"cases\.csv:1: column 'label_gold' is missing"),
        ("hateful,women", "maybe,women", r"cases\.csv:2: label_gold: wanted hateful or non-hateful; given 'maybe'"),
        ("hateful,women", ",women", r"cases\.csv:2: label_gold"),
        ("I dislike all blorps. ", "", r"cases\.csv:2: test_case: has no words"),
        (",hateful,women,general,dislike", "", r"cases\.csv:2: has another number of fields"),
        (",hateful,women", ",hateful,women,x,y,z", r"cases\.csv:2: has another number of fields"),
        ("1,ident_neutral_nh,2", "1,ident_neutral_nh,", r"cases\.csv:3: neither case_id nor mhc_case_id"),
        ("1,ident_neutral_nh,2", "1,ident_neutral_nh,1", r"1 ids come more than once: 'hatecheck_test_1'"),
    ],
)
def test_a_bad_row_is_named_by_line(tmp_path: Path, old: str, new: str, named: str) -> None:
    assert old in ENGLISH
    with pytest.raises(DataError, match=named):
        read_hatecheck(table(tmp_path, ENGLISH.replace(old, new, 1)))


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no test case"):
        read_hatecheck(table(tmp_path, ENGLISH.splitlines()[0] + "\n"))
    with pytest.raises(DataError, match="is missing"):
        read_hatecheck(table(tmp_path, ""))
    (tmp_path / "cases.csv").write_bytes(ENGLISH.encode() + b"\xff\xfe")
    with pytest.raises(DataError, match="UTF-8"):
        read_hatecheck(tmp_path / "cases.csv")


def test_a_test_case_of_100_000_characters_is_read(tmp_path: Path) -> None:
    long = ENGLISH.replace("I dislike all blorps. ", "x " * 100_000)
    first: Sample = read_hatecheck(table(tmp_path, long))[0]
    assert len(first.text or "") == 199_999


def test_learning_from_test_cases_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("a run goes elsewhere")
    for name, text in (("learned.csv", ENGLISH), ("held.csv", GERMAN)):
        table(tmp_path, text, name)
    with pytest.raises(VlmkitError, match="is not empty"):
        vlmkit.train(
            "memes", preset="tiny", data=tmp_path / "learned.csv", val=tmp_path / "held.csv", out=tmp_path / "out"
        )
    assert "learning from samples that the data keep back" in caplog.text
    assert "(3 of split test)" in caplog.text
