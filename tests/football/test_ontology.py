from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlmkit.errors import DataError, UnknownNameError
from vlmkit_plugins.football.ontology import ClassList, Entry, Ontology, load, resolve, spelled
from vlmkit_plugins.football.schema import CLASSES


def test_the_data_holds_every_class_once_with_a_definition() -> None:
    assert tuple(entry.name for entry in load().events) == CLASSES
    assert all(entry.definition for entry in load().events)


def test_the_lists_are_those_of_the_two_generations() -> None:
    broadcast, late = load().listed("broadcast"), load().listed("late")
    assert broadcast.spellings == (
        "Penalty Shot",
        "Goal",
        "Red Card",
        "Yellow Card",
        "Corner Kick",
        "Free Kick",
        "Throw In",
        "Offside",
    )
    assert late.spellings == (
        "penalty_shot",
        "goal",
        "goal_line_event",
        "woodworks",
        "shot_on_target",
        "red_card",
        "yellow_card",
        "hat_trick",
    )
    assert set(broadcast.classes) | set(late.classes) == set(CLASSES)
    assert len(set(broadcast.classes) & set(late.classes)) == 4


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("Goal", "Goal"),
        ("GOAL", "Goal"),
        ("penalty_shot", "Penalty Shot"),
        ("  Penalty-Shot ", "Penalty Shot"),
        ("Penalty\N{EN DASH}Shot", "Penalty Shot"),
        ("PenaltyShot", "Penalty Shot"),
        ("Penalty\N{NO-BREAK SPACE}Kick", "Penalty Shot"),
        ("Throw-in", "Throw In"),
        ("throwin", "Throw In"),
        ("off_side", "Offside"),
        ("Direct free-kick", "Free Kick"),
        ("Shots on target", "Shot on Target"),
        ("goal-line event", "Goal Line Event"),
        ("woodwork", "Woodworks"),
        ("hat\ttrick", "Hat Trick"),
        ("Yellow->red card", None),  # both cards are shown: neither class alone
        ("Shot", None),
        ("Shots off target", None),
        ("Unknown", None),
        ("", None),
        (None, None),
        (3, None),
    ],
)
def test_resolve(label: str, name: str | None) -> None:
    assert resolve(label) == name


@given(st.sampled_from([(one, k) for one in load().lists for k in range(len(one.names))]), st.data())
def test_a_class_goes_through_a_list_and_back(chosen: tuple[ClassList, int], data: st.DataObject) -> None:
    listed, place = chosen
    name, spelling = listed.names[place]
    noisy = "".join(
        data.draw(st.sampled_from(["_", "-", " "]))
        if sign in "_ "
        else data.draw(st.sampled_from([sign, sign.upper()]))
        for sign in spelling
    )
    assert resolve(noisy) == name
    assert spelled(noisy, listed.name) == spelling


@pytest.mark.parametrize(
    ("label", "listed", "text"),
    [
        ("Offside", "late", "unknown class of the list 'late' 'Offside'"),
        ("Juggling", "broadcast", "unknown class of the list 'broadcast' 'Juggling'"),
        ("Goal", "lates", "unknown class list 'lates'; did you mean 'late'?"),
    ],
)
def test_what_a_list_has_not_is_refused(label: str, listed: str, text: str) -> None:
    with pytest.raises(UnknownNameError, match=text):
        spelled(label, listed)


def test_an_alias_of_two_classes_is_refused() -> None:
    twice = Ontology("t", (Entry("Goal", ("Shot",), ""), Entry("Hat Trick", ("shot",), "")), ())
    with pytest.raises(DataError, match="'shot' stands for both"):
        twice.resolve("Goal")
