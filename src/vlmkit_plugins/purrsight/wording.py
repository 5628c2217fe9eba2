"""Words about a cat: what a person might write about some of its markers, and the two fixed sentences of an answer."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vlmkit_plugins.purrsight.schema import NOT_OBSERVED

PHRASES: dict[str, dict[str, tuple[str, ...]]] = {
    "ears": {
        "forward": ("its ears point forward", "ears facing ahead", "both ears turned to the front"),
        "sideways": ("its ears point sideways", "ears swivelled out to the sides", "airplane ears"),
        "flattened": ("its ears are flattened", "ears pinned flat on the head", "ears laid back"),
        "alert": ("its ears are alert", "ears pricked straight up", "ears perked and listening"),
    },
    "tail": {
        "neutral": ("its tail is neutral", "tail hanging loosely", "the tail rests in a natural line"),
        "tucked": ("its tail is tucked", "tail clamped under the belly", "tail pulled in between the legs"),
        "lashing": ("its tail is lashing", "tail whipping from side to side", "the tail thrashes hard"),
        "upright": ("its tail is upright", "tail raised like a flag", "the tail held high"),
        "puffed": ("its tail is puffed", "tail like a bottle brush", "the tail fur bristles"),
    },
    "posture": {
        "relaxed": ("its posture is relaxed", "sitting at ease", "the body loose and calm"),
        "crouched": ("it is crouched", "crouching low to the ground", "hunkered down on bent legs"),
        "lateral_recumbent": ("it is lateral recumbent", "lying on its side", "stretched out on one flank"),
        "arched": ("its back is arched", "standing with a bowed back", "the back humped up high"),
        "tense": ("its posture is tense", "standing stiff and braced", "the muscles rigid"),
    },
    "vocalization": {
        "purr": ("it purrs", "purring steadily", "a soft purr"),
        "hiss": ("it hisses", "hissing loudly", "a sharp hiss"),
        "growl": ("it growls", "growling deep in the throat", "a long growl"),
        "chirp": ("it chirps", "chirping in short notes", "quick chirps"),
        "meow": ("it meows", "meowing for attention", "a clear meow"),
        "trill": ("it trills", "trilling with a rolled r", "a rolling trill"),
        "silent": ("it is silent", "staying quiet", "a mute cat"),
    },
}
"""Ways to say each value of each marker; none of them is part of one that says another value."""
MOST_MENTIONED = 3

_OPENERS = ("", "My cat today: ", "Just now: ", "Note: ", "The neighbour's cat: ", "Please look: ", "At the clinic: ")
_ASIDES = (
    "", "", " This was after dinner.", " She is four years old.", " It happened this morning.", " We moved last week.",
    " He weighs five kilos.", " The vet saw him in May.", " Thank you!",
)  # fmt: skip
_VOICES = {
    "purr": "purring",
    "hiss": "hissing",
    "growl": "growling",
    "chirp": "chirping",
    "meow": "meowing",
    "trill": "trilling",
    "silent": "silent",
}
_ADVICE = {
    ("aggressive", 5): "立即后退，不要伸手，给猫留出退路。",
    ("aggressive", 4): "请保持距离，不要触碰，移走刺激源。",
    ("distressed", 5): "猫极度恐惧，请立即远离并降低噪音。",
    ("distressed", 4): "猫感到害怕，请提供躲藏处，避免打扰。",
    ("anxious", 3): "猫明显不安，请减少刺激，让它自己靠近。",
    ("anxious", 2): "猫略有不安，请放慢动作，留意变化。",
    ("playful", 3): "猫正在捕猎状态，请用逗猫棒，不要用手。",
    ("playful", 2): "猫盯着猎物，可用玩具陪它消耗精力。",
    ("playful", 1): "猫想玩耍，可以陪它互动几分钟。",
    ("content", 1): "猫很放松，可以轻轻抚摸，无需干预。",
    ("neutral", 1): "状态平稳，照常照看即可。",
}
_NO_ADVICE = "线索不足，请补充图像或描述。"


def describe(markers: Mapping[str, str], rng: np.random.Generator) -> str:
    """What a person might write who noticed exactly these markers, in any order and words, and something beside."""
    names = list(markers)
    parts = []
    for k in rng.permutation(len(names)):
        ways = PHRASES[names[k]][markers[names[k]]]
        parts.append(ways[int(rng.integers(len(ways)))])
    told = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    opener = _OPENERS[int(rng.integers(len(_OPENERS)))]
    told = told if opener else told[0].upper() + told[1:]
    return f"{opener}{told}.{_ASIDES[int(rng.integers(len(_ASIDES)))]}"


def summary(markers: Mapping[str, str]) -> str:
    """The observed markers in one fixed form, and whether others were not observed. At most 200 characters."""
    seen = {name: value for name, value in markers.items() if value != NOT_OBSERVED}
    cues = [f"{name} {seen[name].replace('_', ' ')}" for name in ("ears", "tail", "posture") if name in seen]
    if "vocalization" in seen:
        cues.append(_VOICES[seen["vocalization"]])
    told = ", ".join(cues) or "nothing"
    rest = "" if len(seen) == len(PHRASES) else " Other cues not observed."
    return f"{told[0].upper()}{told[1:]}.{rest}"


def advice(affective_state: str, risk_rating: int | str) -> str:
    """What to do, in Chinese, at most 40 characters."""
    return _ADVICE.get((affective_state, int(risk_rating)), _NO_ADVICE) if risk_rating != NOT_OBSERVED else _NO_ADVICE
