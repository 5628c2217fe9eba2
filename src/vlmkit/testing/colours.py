"""A whole task without weights, media or torch: which colour a film has, and at which frame it appears."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn

from vlmkit.errors import DataError, VlmkitError
from vlmkit.task import BuildOptions, Preset, Scoring, Task
from vlmkit.types import Clip, Generation, Message, Prediction, Problem, Prompt, Sample, Slot

COLOURS = ("red", "green", "blue", "黄色")
N_FRAMES = 100


@dataclass(frozen=True)
class Colour:
    """The answer: one of `COLOURS`, and a frame from 0 on."""

    name: str
    frame: int


class ColourDecoder:
    """Reads `{"name": …, "frame": …}`."""

    reads: Literal["generation", "tokens"] = "generation"

    def constraint(self, sample: Sample) -> None:
        """Replies are free."""

    def encode(self, value: Colour) -> str:
        """The training target."""
        return json.dumps(asdict(value), ensure_ascii=False)

    def decode(self, evidence: Generation, sample: Sample) -> Prediction[Colour]:
        """Total: text that is no colour gives the fatal problem `not_a_colour`."""
        try:
            value = _colour(json.loads(evidence.text))
        except (ValueError, RecursionError, DataError):
            problem = Problem("not_a_colour", "the reply is no colour", fatal=True)
            return Prediction(sample.id, None, (problem,), raw=evidence.text)
        return Prediction(sample.id, value, raw=evidence.text)


def colours() -> Task[Colour]:
    """The task `colours`. Its presets cannot be built: `vlmkit.testing.fakes.FakeHead` answers for it."""
    return Task(
        name="colours",
        summary="the colour of a film, for tests",
        result=Colour,
        accepts=frozenset({"video", "text"}),
        requires=frozenset({"video"}),
        presets={
            "tiny": Preset("tiny", "a scripted fake", {"replies": "enqueued by the test"}, synthetic=True),
            "huge": Preset("huge", "weights that do not exist", {"base": "nobody/nothing"}),
        },
        default_preset="huge",
        prompt=_prompt,
        decoder=ColourDecoder,
        build=_build,
        specs=lambda preset: {},
        stages=lambda preset: (),
        read=_read,
        synth=_synth,
        to_json=_to_json,
        from_json=_from_json,
        scoring=Scoring(row=_row, combine=_combine, baselines=_baselines, label=lambda colour: colour.name),
        plan=lambda preset: (f"preset {preset}: 0 bytes",),
    )


def _prompt(sample: Sample) -> Prompt:
    return Prompt((Message("user", (Slot("video"), "Which colour, from which frame on?")),))


def _build(preset: str, options: BuildOptions) -> NoReturn:
    raise VlmkitError(f"task 'colours' has no weights for preset {preset!r}; use vlmkit.testing.fakes.FakeHead")


def _read(folder: Path) -> Iterator[Sample]:
    manifest = folder / "manifest.jsonl"
    if not manifest.is_file():
        raise DataError(f"{folder}: no manifest.jsonl in it; make a folder with: vlmkit synth colours -o DIR")
    for line in manifest.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        truth = _colour(record["truth"]) if record.get("truth") else None
        yield Sample(record["id"], {"video": Clip(folder / record["video"])}, truth=truth)


def _synth(folder: Path, n: int, seed: int, workers: int) -> None:
    draw = random.Random(seed)
    (folder / "videos").mkdir(parents=True)
    lines = []
    for index in range(n):
        key = f"c{index:04d}"
        truth = Colour(draw.choice(COLOURS), draw.randrange(N_FRAMES))
        (folder / "videos" / f"{key}.mp4").write_bytes(b"no film: the fake head does not look")
        lines.append(json.dumps({"id": key, "video": f"videos/{key}.mp4", "truth": asdict(truth)}, ensure_ascii=False))
    (folder / "manifest.jsonl").write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def _to_json(prediction: Prediction[Colour]) -> dict[str, Any]:
    if prediction.value is None:
        raise ValueError(f"prediction {prediction.sample_id!r} has no value, so there is no record of it")
    return {"id": prediction.sample_id, "colour": prediction.value.name, "frame": prediction.value.frame}


def _from_json(record: Any) -> tuple[str, Colour]:
    return record["id"], _colour({"name": record["colour"], "frame": record["frame"]})


def _colour(fields: Any) -> Colour:
    if not isinstance(fields, dict) or fields.get("name") not in COLOURS or not isinstance(fields.get("frame"), int):
        raise DataError(f"wanted a name of {', '.join(COLOURS)} and a whole frame; given {str(fields)[:80]}")
    return Colour(fields["name"], fields["frame"])


def _row(truth: Colour, answer: Colour | None) -> dict[str, float | None]:
    if answer is None:
        return {"accuracy": 0.0, "near": 0.0}
    # A colour that appears in the first frame has no moment to be near to.
    near = None if truth.frame == 0 else float(abs(truth.frame - answer.frame) <= 5)
    return {"accuracy": float(truth.name == answer.name), "near": near}


def _combine(means: Mapping[str, float]) -> dict[str, float]:
    return {"score": 0.5 * means["accuracy"] + 0.5 * means["near"]}


def _baselines(truths: Sequence[Colour], ids: Sequence[str], seed: int) -> dict[str, list[Colour]]:
    draw = random.Random(seed)
    name = Counter(truth.name for truth in truths).most_common(1)[0][0]
    frame = sorted(truth.frame for truth in truths)[len(truths) // 2]
    return {
        "constant": [Colour("red", 0) for _ in ids],
        "majority": [Colour(name, frame) for _ in ids],
        "chance": [Colour(draw.choice(COLOURS), draw.randrange(N_FRAMES)) for _ in ids],
    }
