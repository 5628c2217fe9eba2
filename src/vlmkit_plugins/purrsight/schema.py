"""The typed answer about one cat ("V3"), its closed vocabularies, what each input can show, and the risk rule."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import cache
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model, field_validator, model_validator
from pydantic_core import PydanticCustomError

from vlmkit.errors import DataError
from vlmkit.types import Modality

NOT_OBSERVED = "not_observed"
SUMMARY_CHARACTERS = 240
INSIGHT_CHARACTERS = 80

NotObserved = Literal["not_observed"]
Ears = Literal["forward", "sideways", "flattened", "alert", "not_observed"]
Tail = Literal["neutral", "tucked", "lashing", "upright", "puffed", "not_observed"]
Posture = Literal["relaxed", "crouched", "lateral_recumbent", "arched", "tense", "not_observed"]
Vocalization = Literal["purr", "hiss", "growl", "chirp", "meow", "trill", "silent", "not_observed"]
EthogramGroup = Literal["social_affiliative", "agonistic", "maintenance", "predatory", "not_observed"]
AffectiveState = Literal["content", "anxious", "aggressive", "playful", "distressed", "neutral", "not_observed"]
ArousalLevel = Literal["low", "medium", "high", "not_observed"]
RiskRating = Literal[1, 2, 3, 4, 5, "not_observed"]

VOCABULARY: Mapping[str, tuple[str | int, ...]] = {
    "ears": get_args(Ears),
    "tail": get_args(Tail),
    "posture": get_args(Posture),
    "vocalization": get_args(Vocalization),
    "ethogram_group": get_args(EthogramGroup),
    "affective_state": get_args(AffectiveState),
    "arousal_level": get_args(ArousalLevel),
    "risk_rating": get_args(RiskRating),
}
"""The choices of every closed field, in the schema's order; `not_observed` stands last in each."""
MARKERS = ("ears", "tail", "posture", "vocalization")
SHOWN_BY: Mapping[str, frozenset[Modality]] = {
    "ears": frozenset({"image", "video", "text"}),
    "tail": frozenset({"image", "video", "text"}),
    "posture": frozenset({"image", "video", "text"}),
    "vocalization": frozenset({"audio", "text"}),
}
"""Modalities that can show a marker; without all of them it can only be `not_observed`."""

RISKY = (4, 5)
ROUTINE = (1, 2)
ROUTINE_GROUPS = ("social_affiliative", "maintenance")
ROUTINE_STATES = ("content", "playful", "neutral")


def risks(group: str, state: str) -> tuple[int | str, ...]:
    """The risk ratings that go with a group and a state.

    Agonistic or distressed: 4 or 5. Routine, that is `ROUTINE_GROUPS` with `ROUTINE_STATES`: 1 or 2. With neither
    observed there is nothing to rate: `not_observed`. Else any of 1 to 5; also `not_observed` while one of the two is.
    """
    if group == "agonistic" or state == "distressed":
        return RISKY
    if group in ROUTINE_GROUPS and state in ROUTINE_STATES:
        return ROUTINE
    if group == state == NOT_OBSERVED:
        return (NOT_OBSERVED,)
    return (1, 2, 3, 4, 5, NOT_OBSERVED) if NOT_OBSERVED in (group, state) else (1, 2, 3, 4, 5)


def _risk_cases() -> list[dict[str, Any]]:
    """`risks` as cases of JSON Schema: groups and states that leave the same ratings stand together."""
    columns: dict[tuple[Any, ...], list[str]] = {}
    for group in get_args(EthogramGroup):
        columns.setdefault(tuple(risks(group, state) for state in get_args(AffectiveState)), []).append(group)
    cases = []
    for ratings, groups in columns.items():
        for legal in dict.fromkeys(ratings):
            states = [state for state, one in zip(get_args(AffectiveState), ratings, strict=True) if one == legal]
            narrowed = {"ethogram_group": groups, "affective_state": states, "risk_rating": list(legal)}
            cases.append({"properties": {name: {"enum": values} for name, values in narrowed.items()}})
    return cases


class PhysicalMarkers(BaseModel):
    """What body and voice show."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    ears: Ears
    tail: Tail
    posture: Posture
    vocalization: Vocalization


class Classification(BaseModel):
    """What that means. Group, state and risk go together as `risks` says: in the grammar, and whenever one is made."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, json_schema_extra={"anyOf": [*_risk_cases()]})

    ethogram_group: EthogramGroup
    affective_state: AffectiveState
    arousal_level: ArousalLevel
    risk_rating: RiskRating

    @field_validator("risk_rating", mode="before")
    @classmethod
    def _no_truth_value(cls, value: Any) -> Any:
        if isinstance(value, bool):  # a Literal takes true for 1
            raise PydanticCustomError("risk_type", "wanted 1 to 5 or not_observed")
        return value

    @model_validator(mode="after")
    def _risk_rule(self) -> Self:
        legal = risks(self.ethogram_group, self.affective_state)
        if self.risk_rating not in legal:
            raise PydanticCustomError(
                "risk_rule",
                "risk_rating of {group} and {state} is {legal}; given {given}",
                {
                    "group": self.ethogram_group,
                    "state": self.affective_state,
                    "legal": " or ".join(map(str, legal)),
                    "given": self.risk_rating,
                },
            )
        return self


class Diagnostic(BaseModel):
    """Markers and classification."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    physical_markers: PhysicalMarkers
    classification: Classification


class CatReport(BaseModel):
    """What one sample shows of a cat: closed fields, what was seen in English, and advice in Chinese."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    diagnostic: Diagnostic
    behavioral_summary: Annotated[str, Field(min_length=1, max_length=SUMMARY_CHARACTERS)]
    human_actionable_insight: Annotated[str, Field(min_length=1, max_length=INSIGHT_CHARACTERS)]

    @property
    def fields(self) -> dict[str, str | int]:
        """The eight closed fields by name, in the schema's order."""
        return {**dict(self.diagnostic.physical_markers), **dict(self.diagnostic.classification)}


def absent_markers(used: Collection[Modality]) -> tuple[str, ...]:
    """The markers that none of these modalities can show."""
    return tuple(marker for marker in MARKERS if not SHOWN_BY[marker] & frozenset(used))


def narrow(used: Iterable[Modality]) -> type[CatReport]:
    """The schema for a sample of which just these modalities were seen: what they cannot show is `not_observed`."""
    return _without(absent_markers(frozenset(used)))


@cache
def _without(markers: tuple[str, ...]) -> type[CatReport]:
    if not markers:
        return CatReport
    fields: dict[str, Any] = {marker: (NotObserved, ...) for marker in markers}
    shown = create_model("PhysicalMarkers", __base__=PhysicalMarkers, **fields)
    diagnostic = create_model("Diagnostic", __base__=Diagnostic, physical_markers=(shown, ...))
    return create_model("CatReport", __base__=CatReport, diagnostic=(diagnostic, ...))


def masked(report: CatReport, used: Collection[Modality]) -> CatReport:
    """The report with `not_observed` for every marker that these modalities cannot show."""
    return blanked(report, absent_markers(used))


def blanked(report: CatReport, markers: Iterable[str]) -> CatReport:
    """The report with `not_observed` for these markers."""
    left = report.diagnostic.physical_markers.model_copy(update=dict.fromkeys(markers, NOT_OBSERVED))
    return report.model_copy(update={"diagnostic": report.diagnostic.model_copy(update={"physical_markers": left})})


def parse_report(fields: Any, where: str) -> CatReport:
    """A mapping to a report. Raises `DataError` naming `where` and the first field that is wrong."""
    try:
        return CatReport.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"]) or "report"
        given = "" if first["type"] == "risk_rule" else f"; given {str(first['input'])[:80]!r}"
        raise DataError(f"{where}: {name}: {first['msg']}{given}") from None
