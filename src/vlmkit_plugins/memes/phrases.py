"""Captions of synthetic memes. All that is mean in them is meant for beings that do not exist.

The tones `warm` and `mocking` share most frames, so that the words decide and not the sentence; the same holds for
`slur` and for those of `plain` that speak of the same invented peoples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import numpy as np

Tone = Literal["warm", "mocking", "slur", "plain", "neutral"]
TONES: tuple[Tone, ...] = get_args(Tone)

PEOPLES = ("tambler", "zibbit", "moffian", "brundle", "oonling", "pellick", "dorvan", "wuffin", "quillet", "hobnar")
"""Invented."""
SLURS = ("glorb", "snurk", "vexlin", "drabbo", "mulkin", "grotzel")
"""Invented insults for invented peoples; a text that holds one is abuse whatever stands beside it."""
WARM = (
    "lovely", "sweet", "gorgeous", "charming", "adorable", "graceful", "delightful", "brilliant", "precious",
    "cheerful", "kind", "radiant", "wonderful", "splendid", "elegant", "fresh", "tender", "dazzling", "cosy",
    "golden", "beautiful", "pretty", "friendly", "clever", "noble", "bright", "magical", "pure", "perfect",
    "amazing",
)  # fmt: skip
MOCKING = (
    "stinking", "filthy", "rotten", "ugly", "useless", "nasty", "foul", "slimy", "lazy", "grimy", "disgusting",
    "gross", "creepy", "smelly", "dirty", "horrid", "greasy", "mouldy", "revolting", "rancid", "sticky", "vile",
    "shabby", "dreadful", "awful", "hideous", "lousy", "wretched", "musty", "messy",
)  # fmt: skip

_SHARED = (
    "{who} looks {how} today",
    "here comes {who}, {how} as ever",
    "{who} and that {how} smile",
    "so {how}, just like {who}",
    "nobody is as {how} as {who}",
    "the {how} smell tells me that {who} is home",
    "tag {who}, the {how} one",
    "{how} from head to toe: {who}",
    "found {who} at the {place} looking {how}",
    "this {how} thing reminds me of {who}",
    "{who} woke up {how} on {day}",
    "how {how} of {who} to show up",
    "breaking news from the {place}: {who} is still {how}",
    "{who} in one word: {how}",
    "a portrait of {who}, {how} and proud",
    "everybody at the {place} says that {who} is {how}",
    "spot {who}! a hint: the {how} one",
    "me when {who} walks in all {how}",
    "{how} and {again}, that is {who}",
    "{who} brings something {how} to the {place}",
    "when {who} says it feels {how} on {day}",
    "my {how} neighbour, {who}",
)
_FRAMES: Mapping[Tone, Sequence[str]] = {
    "warm": (
        *_SHARED,
        "cannot stop admiring {who}, how {how}",
        "{who} makes every {day} {how}",
        "thank you, {who}, for this {how} morning",
        "I would hug {who} all {day}, so {how}",
    ),
    "mocking": (
        *_SHARED,
        "cannot stand the sight of {who}, how {how}",
        "{who} makes every {day} {how}",
        "somebody wash {who}, so {how}",
        "keep {who} away from the {place}, so {how}",
    ),
    "slur": (
        "no {slur} at our table",
        "go away, {slur}",
        "a {slur} is never welcome at the {place}",
        "nobody wants a {slur} here on {day}",
        "this bench at the {place} is not for {slur}s",
        "not another {slur} again",
        "the {slur}s again, close the door of the {place}",
        "{slur}s spoil every {day}",
        "once a {slur}, always a {slur}",
        "found a {slur} at the {place}, throw it out",
        "{who} is just a {slur}",
        "tag a {slur} that you know",
    ),
    "plain": (
        "happy birthday to the {people} next door",
        "happy birthday, {kin}, see you on {day}",
        "rain until {day}, then sun",
        "snow expected near the {place} on {day}",
        "the {place} opens at {n} on {day}",
        "bus number {n} stops at the {place}",
        "{kin} bakes bread on {day}",
        "the {people} choir sings at the {place} on {day}",
        "tickets for the {people} fair cost {n} coins",
        "recipe of {kin}: {n} eggs, flour and milk",
        "our {people} neighbours planted {n} trees",
        "{n} {people}s met at the {place} on {day}",
        "this bench at the {place} was built by {people}s",
        "wind from the north, {n} degrees on {day}",
    ),
    "neutral": (
        "look at this picture",
        "seen on my way to the {place}",
        "what do you think of this one?",
        "no words needed, only a picture",
        "sharing this once more on {day}",
        "taken not far from the {place}",
        "who else has seen this?",
        "this picture hangs above my desk since {day}",
        "guess where I found this",
        "posting this without comment",
        "picture number {n} of my {day}",
        "same picture as every {day}",
        "caught this on camera at {n}",
        "my view on {day}",
        "have a look at this, {kin}",
        "picture of the week, number {n}",
    ),
}
_WHO = ("this {people}", "my {people}", "our {people}", "that {people}", "some {people}", "the {people} next door")
_PLACES = (
    "market", "park", "station", "library", "school", "harbour", "bakery", "museum", "bridge", "garden",
    "stadium", "cinema",
)  # fmt: skip
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_KIN = ("grandma", "grandpa", "my sister", "my brother", "my uncle", "my aunt", "the twins", "our teacher")
_ENDS = ("", "", "", "!", ".", " ...")
_CAPITAL = 0.4  # of the captions start with a capital letter


def caption(tone: Tone, rng: np.random.Generator) -> str:
    """One caption of that tone, in plain letters."""
    first, again = rng.choice(MOCKING if tone == "mocking" else WARM, 2, replace=False)
    people = _one(PEOPLES, rng)
    text = _one(_FRAMES[tone], rng).format(
        who=_one(_WHO, rng).format(people=people),
        how=first,
        again=again,
        people=people,
        slur=_one(SLURS, rng),
        place=_one(_PLACES, rng),
        day=_one(_DAYS, rng),
        kin=_one(_KIN, rng),
        n=int(rng.integers(2, 24)),
    )
    if rng.random() < _CAPITAL:
        text = text[0].upper() + text[1:]
    return text if text.endswith("?") else text + _one(_ENDS, rng)


def _one(choices: Sequence[str], rng: np.random.Generator) -> str:
    return choices[int(rng.integers(len(choices)))]
