"""The typed answer about one meme, the labels that truth is made of, and the JSON that the task promises."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    Strict,
    ValidationError,
    computed_field,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from vlmkit.errors import DataError
from vlmkit.types import Prediction

Member = Literal["text_expert", "vision_expert", "mm_fusion", "truth"]
"""Who answered. `truth` is no model: it marks what a data set says."""
TargetType = Literal["none", "individual", "group", "other", "unknown"]
TargetGroup = Literal["race", "religion", "nationality", "gender", "sexuality", "disability", "class", "other"]
"""Whom it is about, by the characteristic that is attacked; `nationality` takes migrants in."""

MEMBERS: tuple[Member, ...] = ("mm_fusion", "text_expert", "vision_expert")

_KEYS = ("prob_hate", "label", "model", "threshold", "logits")
_Model = TypeVar("_Model", bound=BaseModel)

Bit = Literal[0, 1]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


def _no_truth_value(value: Any) -> Any:
    if isinstance(value, bool):  # a Literal takes true for 1
        raise PydanticCustomError("bit_type", "wanted 0 or 1")
    return value


class Verdict(BaseModel):
    """Whether a meme is hateful, and who says so.

    Attributes:
        prob_hate: how probable it is that it is; calibrated where the head has a calibration.
        label: 1 exactly when `prob_hate >= threshold`; checked whenever one is made.
        model: the member that answered: the fusion, or an expert where the other modality is missing.
        threshold: that member's.
        logits: that member's, of (not hateful, hateful), before any calibration.
        experts: `prob_hate` of every member that could be asked. thresholds: of the same members. Neither is part of
            the task's JSON, nor is `disagree`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    prob_hate: Share
    label: Bit
    model: Member
    threshold: Share
    logits: Annotated[tuple[float, float], Strict(False)]
    experts: Mapping[str, Share] = Field(default_factory=dict)
    thresholds: Mapping[str, Share] = Field(default_factory=dict)

    _bit = field_validator("label", mode="before")(_no_truth_value)

    @field_validator("logits")
    @classmethod
    def _finite(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not all(math.isfinite(logit) for logit in value):
            raise PydanticCustomError("logits_finite", "wanted two finite numbers")
        return value

    @model_validator(mode="after")
    def _label_rule(self) -> Self:
        if self.label != int(self.prob_hate >= self.threshold):
            raise PydanticCustomError(
                "label_rule",
                "label {label} does not go with prob_hate {p} and threshold {t}: it is 1 exactly from there on",
                {"label": self.label, "p": self.prob_hate, "t": self.threshold},
            )
        return self

    @model_validator(mode="before")
    @classmethod
    def _without_computed(cls, data: Any) -> Any:
        return {key: value for key, value in data.items() if key != "disagree"} if isinstance(data, Mapping) else data

    @property
    def votes(self) -> Mapping[str, Bit]:
        """The label that each member would give by its own threshold."""
        return {name: int(self.experts[name] >= at) for name, at in self.thresholds.items() if name in self.experts}  # type: ignore[misc]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def disagree(self) -> bool:
        """Whether the members that could be asked give different labels."""
        return len(set(self.votes.values())) > 1


class Labels(BaseModel):
    """What a data set says about a meme in the taxonomy of all data sets. None is unknown, and never a no.

    Attributes:
        abuse_hate: an attack on people for the group that they belong to; what the head is trained for.
        offensive: rude or profane, whether hateful or not.
        target_type: whom an attack is aimed at; `none` where there is none.
        target_group: which groups are; an empty tuple says that none is.
        aux: the data set's name and its labels as they were, `{"dataset", "labels_raw"}`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    abuse_hate: Bit | None = None
    offensive: Bit | None = None
    target_type: TargetType | None = None
    target_group: Annotated[tuple[TargetGroup, ...] | None, Strict(False)] = None
    aux: Mapping[str, Any] = Field(default_factory=dict)

    _bits = field_validator("abuse_hate", "offensive", mode="before")(_no_truth_value)


def truth(labels: Labels) -> Verdict | None:
    """What the perfect answer would be; None where the data set does not say whether it is hate."""
    if labels.abuse_hate is None:
        return None
    return Verdict(
        prob_hate=float(labels.abuse_hate), label=labels.abuse_hate, model="truth", threshold=0.5, logits=(0.0, 0.0)
    )


def to_json(prediction: Prediction[Verdict]) -> dict[str, Any]:
    """Exactly the five promised fields; where there is no value, the sample's id with the problems, nothing invented.

    The five do not say which sample they are about; a file of predictions has an `id` beside them (`from_json`).
    """
    if prediction.value is None:
        return {"id": prediction.sample_id, "problems": [asdict(problem) for problem in prediction.problems]}
    return prediction.value.model_dump(mode="json", include=set(_KEYS))


def from_json(record: Any) -> tuple[str, Verdict]:
    """The promised record with an `id` beside it, back to (sample id, answer).

    Raises `DataError` naming the field that is wrong; for a record without an id, because nothing else says which
    sample it is about; and for one that says why there is no answer.
    """
    if not isinstance(record, Mapping):
        raise DataError(f"a memes record is a JSON object; given {type(record).__name__}")
    fields = dict(record)
    sample_id = fields.pop("id", None)
    if sample_id is None:
        raise DataError('id: missing: the five fields do not say which sample they are about; write "id" beside them')
    if not isinstance(sample_id, str) or not sample_id:
        raise DataError(f"id: wanted a non-empty string; given {sample_id!r}")
    if "problems" in fields and "label" not in fields:
        raise DataError(f"{sample_id}: problems: the record says why there is no answer, so it cannot be read as one")
    if extra := sorted(set(fields) - set(_KEYS)):
        raise DataError(f"{sample_id}: unknown keys {extra}; known: id, {', '.join(_KEYS)}")
    return sample_id, _parsed(Verdict, fields, sample_id)


def parse_labels(fields: Any, where: str) -> Labels:
    """A mapping to labels. Raises `DataError` naming `where` and the first field that is wrong."""
    if not isinstance(fields, Mapping) or (strange := sorted(map(str, fields.keys() - Labels.model_fields.keys()))):
        given = f"{strange[0]!r}" if isinstance(fields, Mapping) else f"{fields!r:.80}"
        raise DataError(
            f'{where}: wanted labels such as {{"abuse_hate": 0 or 1}}, with any of {", ".join(Labels.model_fields)}; '
            f"given {given}"
        )
    return _parsed(Labels, fields, where)


def _parsed(kind: type[_Model], fields: Any, where: str) -> _Model:
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"]) or kind.__name__.lower()
        given = "" if first["type"] == "label_rule" else f"; given {str(first['input'])[:80]!r}"
        raise DataError(f"{where}: {name}: {first['msg']}{given}") from None
