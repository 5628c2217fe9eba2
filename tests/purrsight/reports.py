"""Reports to test with."""

from __future__ import annotations

from typing import Any

from vlmkit_plugins.purrsight.schema import MARKERS, CatReport

CALM: dict[str, Any] = {
    "ears": "forward",
    "tail": "upright",
    "posture": "relaxed",
    "vocalization": "purr",
    "ethogram_group": "social_affiliative",
    "affective_state": "content",
    "arousal_level": "low",
    "risk_rating": 1,
}
ALARMED: dict[str, Any] = {
    "ears": "flattened",
    "tail": "puffed",
    "posture": "arched",
    "vocalization": "hiss",
    "ethogram_group": "agonistic",
    "affective_state": "distressed",
    "arousal_level": "high",
    "risk_rating": 5,
}
BLANK = dict.fromkeys(CALM, "not_observed")


def fields(base: dict[str, Any] = CALM, /, **changes: Any) -> dict[str, Any]:
    """A report as plain data: nested, from the flat fields of `base` with changes."""
    flat = {**base, **changes}
    return {
        "diagnostic": {
            "physical_markers": {name: value for name, value in flat.items() if name in MARKERS},
            "classification": {name: value for name, value in flat.items() if name not in MARKERS},
        },
        "behavioral_summary": "Ears and tail as drawn.",
        "human_actionable_insight": "状态平稳，照常照看即可。",
    }


def report(base: dict[str, Any] = CALM, /, **changes: Any) -> CatReport:
    """The same as a value."""
    return CatReport.model_validate(fields(base, **changes))
