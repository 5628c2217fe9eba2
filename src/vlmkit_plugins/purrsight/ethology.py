"""What the observed markers of a cat mean: one fixed table, so that an answer follows from the inputs alone.

Read from the top, the first row that fits decides. A marker that was not observed fits no row.

| row | fits when | group | state | arousal | risk |
| --- | --- | --- | --- | --- | --- |
| threat | ears flattened, tail puffed, posture arched, hiss or growl | agonistic | below | high | 4; 5 for two |
| withdrawal | tail tucked and posture crouched | agonistic | distressed | medium | 4 |
| hunt | chirp, or ears alert and posture crouched | predatory | playful | medium; lashing: high | 2; lashing: 3 |
| unease | ears sideways, tail tucked or lashing, posture crouched or tense | below | anxious | medium | 2; 3 for two |
| contact | tail upright, purr, trill or meow | social_affiliative | below | low; medium if playful | 1 |
| routine | anything else, but not silence alone | maintenance | below | low; medium if ears alert | 1 |

A threat is *distressed* where the cat also shrinks (tail tucked or posture crouched), else *aggressive*. Unease is
social_affiliative where there is contact too, else maintenance. Contact is *playful* with ears alert, else *content*,
but *neutral* where a meow is all there is. Routine is *content* for a relaxed or recumbent posture, else *neutral*.

One threat outweighs every friendly sign: a cat purrs in pain too, and who misses a threat is bitten. Silence alone,
with nothing seen, says nothing about behaviour: then nothing of this was observed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from vlmkit_plugins.purrsight.schema import NOT_OBSERVED

_THREAT = {
    "ears": {"flattened"},
    "tail": {"puffed"},
    "posture": {"arched"},
    "vocalization": {"hiss", "growl"},
}
_UNEASE = {"ears": {"sideways"}, "tail": {"tucked", "lashing"}, "posture": {"crouched", "tense"}}
_CONTACT = {"tail": {"upright"}, "vocalization": {"purr", "trill"}}


class Classification(NamedTuple):
    """What a cat's markers mean; fields as in the answer. `risk_rating` is 1 to 5."""

    ethogram_group: str
    affective_state: str
    arousal_level: str
    risk_rating: int | str


def classify(markers: Mapping[str, str]) -> Classification:
    """The row of the table for `ears`, `tail`, `posture` and `vocalization`; a missing key was not observed."""
    ears, tail, posture, voice = (markers.get(name) for name in ("ears", "tail", "posture", "vocalization"))
    threats = _count(_THREAT, markers)
    if threats:
        shrinks = tail == "tucked" or posture == "crouched"
        return Classification("agonistic", "distressed" if shrinks else "aggressive", "high", 5 if threats > 1 else 4)
    if tail == "tucked" and posture == "crouched":
        return Classification("agonistic", "distressed", "medium", 4)
    if voice == "chirp" or (ears == "alert" and posture == "crouched"):
        lashes = tail == "lashing"
        return Classification("predatory", "playful", "high" if lashes else "medium", 3 if lashes else 2)
    contact = _count(_CONTACT, markers)
    group = "social_affiliative" if contact or voice == "meow" else "maintenance"
    if unease := _count(_UNEASE, markers):
        return Classification(group, "anxious", "medium", 3 if unease > 1 else 2)
    if group == "social_affiliative":
        if ears == "alert":
            return Classification(group, "playful", "medium", 1)
        return Classification(group, "content" if contact else "neutral", "low", 1)
    if all(seen in (None, NOT_OBSERVED) for seen in (ears, tail, posture)):
        return Classification(NOT_OBSERVED, NOT_OBSERVED, NOT_OBSERVED, NOT_OBSERVED)
    rests = posture in ("relaxed", "lateral_recumbent")
    return Classification(group, "content" if rests else "neutral", "medium" if ears == "alert" else "low", 1)


def _count(table: Mapping[str, set[str]], markers: Mapping[str, str]) -> int:
    return sum(markers.get(name) in values for name, values in table.items())
