"""Two tasks that can be calibrated, whose true probabilities are known: `tones` by classifiers, `guesses` in words.

A data folder holds `rows.json`: a list of samples as plain data.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict
from torch import nn

from vlmkit import loading, plugins
from vlmkit.assembled import Assembled
from vlmkit.checkpoint import Beside
from vlmkit.decoders.json import JsonDecoder
from vlmkit.decoders.linear import LinearDecoder, Member, Scores
from vlmkit.errors import MediaError
from vlmkit.llms.small import small_tokenizer
from vlmkit.model import Model
from vlmkit.parts import Part, restore
from vlmkit.seen import Seen
from vlmkit.task import BuildOptions, Preset, Scoring, Task
from vlmkit.testing.fakes import installed
from vlmkit.types import (
    Batch,
    Constraint,
    Features,
    Generation,
    Image,
    Inputs,
    Lane,
    Limits,
    Media,
    Message,
    Modality,
    Prediction,
    Problem,
    Prompt,
    Sample,
    Tokens,
)

SHARPNESS = 3.0  # by how much the logits of `tones` are too large


@dataclass(frozen=True)
class Tone:
    """The answer of `tones`."""

    label: str
    p: float
    member: str


class Numbers:
    """One row a sample and modality: the number in its text, or the brightness of its picture."""

    module: nn.Module = nn.Identity()
    dim = 1
    spec: Mapping[str, Any] = {"text": {}, "image": {}}
    modalities: frozenset[Modality] = frozenset({"text", "image"})
    reads = modalities

    def transform(self, sample: Sample, modality: Modality) -> Inputs | None:
        if modality == "text":
            return {"text": float(str(sample.text).split()[0])} if sample.text else None
        if not sample.media:
            return None
        pixels = sample.media["image"].source
        if not isinstance(pixels, np.ndarray):
            raise MediaError(str(pixels), "missing", "there is no such file")
        return {"image": float(pixels.mean()) / 25 - 5}

    def encode(self, batch: Batch) -> dict[Modality, Features]:
        found: dict[Modality, Features] = {}
        for modality in ("text", "image"):
            values = [one[modality] for one in batch.inputs if modality in one]
            lengths = tuple(int(modality in one) for one in batch.inputs)
            found[modality] = Features(torch.tensor(values, dtype=torch.float32).reshape(-1, 1), lengths)
        return found


class Straight:
    """Rows as they are."""

    in_dims: Mapping[Modality, int] = {"text": 1, "image": 1}
    out_dim = 1
    module: nn.Module = nn.Identity()

    def project(self, features: Mapping[Modality, Features]) -> dict[Lane, Tokens]:
        return {lane: Tokens(rows.values, rows.lengths) for lane, rows in features.items()}


class Guess(BaseModel):
    """The answer of `guesses`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    colour: Literal["red", "blue"]
    size: Literal["small", "large"]


class Script:
    """Says what the prompt says: `{"colour": …}`, and how sure it is of colour and size."""

    dim = 1
    slots: frozenset[Modality] = frozenset()
    module: nn.Module = nn.Identity()

    def generate(
        self,
        prompts: Sequence[Prompt],
        tokens: Mapping[Lane, Tokens],
        constraints: Sequence[Constraint | None],
        limits: Limits,
    ) -> list[Generation]:
        return [self._reply(json.loads(str(prompt.messages[0].parts[0]))) for prompt in prompts]

    def loss(self, prompts: Sequence[Prompt], tokens: Mapping[Lane, Tokens], answers: Sequence[str]) -> torch.Tensor:
        raise NotImplementedError

    def _reply(self, said: Mapping[str, Any]) -> Generation:
        if "text" in said:
            return Generation(said["text"], "end", 1, 1)
        text = json.dumps({"colour": said["colour"], "size": said["size"]}, separators=(",", ":"))
        first, second = text.index(said["colour"]), text.index(said["size"])
        spans = ((0, first), (first, second), (second, len(text)))
        return Generation(text, "end", 1, 3, (0.0, float(np.log(said["p"])), float(np.log(said["q"]))), spans)


def tones() -> Task[Tone]:
    """Two members of one number each: `reads` the text, `sees` the picture; the number is `SHARPNESS` · log-odds."""
    scoring = Scoring[Tone](
        row=lambda truth, answer: {"accuracy": float(answer is not None and answer.label == truth.label)},
        combine=lambda means: {},
        baselines=lambda truths, ids, seed: {"constant": [truths[0] for _ in ids]},
        label=lambda answer: answer.label,
    )
    return _task("tones", Tone, _classifiers, None, _build_tones, scoring)


def guesses() -> Task[Guess]:
    """A colour and a size, each right as often as `rows.json` makes it."""
    scoring = Scoring[Guess](
        row=lambda truth, answer: {"right": float(truth == answer)},
        combine=lambda means: {},
        baselines=lambda truths, ids, seed: {"constant": [truths[0] for _ in ids]},
        label=lambda answer: answer.colour,
        fields=lambda answer: answer.model_dump(),
        right=lambda truth, answer: truth == answer,
    )
    return _task("guesses", Guess, lambda: JsonDecoder(Guess), _prompt, _build_guesses, scoring)


def tone_rows(n: int, seed: int = 0, **more: Any) -> list[dict[str, Any]]:
    """Samples of `tones` with words and a picture that say the same; labels are drawn from what they should say."""
    draw = np.random.default_rng(seed)
    z = draw.normal(0, 1.5, n)
    labels = (draw.random(n) < 1 / (1 + np.exp(-z))).astype(int)
    return [
        {"id": f"s{seed}-{index}", "text": f"{SHARPNESS * value:.6f} of {seed}", "truth": str(label), **more}
        for index, (value, label) in enumerate(zip(z.tolist(), labels.tolist(), strict=True))
    ]


def guess_rows(n: int, seed: int = 0) -> list[dict[str, Any]]:
    """Samples of `guesses`: colour right as often as p says, size right in 80 of 100 whatever q says."""
    draw = np.random.default_rng(seed)
    rows = []
    for index in range(n):
        p, q = draw.uniform(0.5, 1), draw.uniform(0.01, 0.05)
        colour = "red" if draw.random() < p else "blue"
        size = "small" if draw.random() < 0.8 else "large"
        said = {"colour": "red", "size": "small", "p": p, "q": q, "number": f"{seed}-{index}"}
        row = {"id": f"g{seed}-{index}", "text": json.dumps(said), "truth": {"colour": colour, "size": size}}
        rows.append(row)
    return rows


def folder(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """A data folder."""
    path.mkdir(parents=True)
    (path / "rows.json").write_text(json.dumps(rows))
    return path


def saved(task: str, path: Path, learned: list[Sample] | None = None) -> Path:
    """A head in a folder; with the record of what it has learned from."""
    head = loading.load(task, weights="random", device="cpu")
    if learned is not None:
        head.beside = Beside(seen=Seen.of(learned))
        head.provenance["training"].append({"data": {"synthetic": False}})
    head.save_pretrained(path)
    return path


def register(patch: Any) -> None:
    """Make the two tasks the only installed ones, for a test."""
    for module in (loading, plugins):
        patch.setattr(module, "installed", lambda: _INSTALLED)


_INSTALLED = installed("tests.calibrated:tones", "tests.calibrated:guesses")


def _task(name: str, result: Any, decoder: Any, prompt: Any, build: Any, scoring: Scoring[Any]) -> Task[Any]:
    def read(path: Path) -> list[Sample]:
        return [_sample(name, row) for row in json.loads((path / "rows.json").read_text())]

    return Task(
        name=name,
        summary="for tests",
        result=result,
        accepts=frozenset[Modality]({"text", "image"}),
        requires=frozenset[Modality](),
        presets={"tiny": Preset("tiny", "for tests", {})},
        default_preset="tiny",
        prompt=prompt,
        decoder=decoder,
        build=build,
        specs=lambda preset: dict(Numbers.spec) if name == "tones" else {},
        stages=lambda preset: (),
        read=read,
        synth=lambda path, n, seed, workers: None,
        to_json=_record,
        from_json=lambda record: (record["id"], record["value"]),
        scoring=scoring,
    )


def _record(prediction: Prediction[Any]) -> dict[str, Any]:
    return {"id": prediction.sample_id, "value": str(prediction.value)}


def _sample(task: str, row: Mapping[str, Any]) -> Sample:
    media: dict[Modality, Media] = {}
    if "bright" in row:
        media["image"] = Image(np.full((1, 1, 3), row["bright"], np.uint8))
    if "picture" in row:
        media["image"] = Image(row["picture"])
    truth: Any = row.get("truth")
    if truth is not None:
        truth = Tone(truth, float(truth), "truth") if task == "tones" else Guess(**truth)
    return Sample(row["id"], media, row.get("text"), truth)


def _classifiers() -> LinearDecoder[Tone]:
    members = {"reads": Member("text"), "sees": Member("image")}
    made = LinearDecoder(members, {"text": 1, "image": 1}, verdict=_verdict, write=str)
    with torch.no_grad():
        for name, value in made.module.named_parameters():
            value.copy_(torch.tensor([[-0.5], [0.5]]) if name.endswith("weight") else torch.zeros(2))
    return made


def _verdict(scores: Scores, sample: Sample) -> tuple[Tone, Sequence[Problem]]:
    return Tone(scores.label(), scores.probabilities[scores.member][1], scores.member), ()


def _build_tones(preset: str, options: BuildOptions) -> Model[Tone]:
    decoder = _classifiers()
    made: Model[Tone] = Model(
        encoders=(Numbers(),),
        projector=Straight(),
        llm=None,
        decoder=decoder,
        prompt=None,
        backbone=_weights(decoder.module, options),
    )
    return made


def _build_guesses(preset: str, options: BuildOptions) -> Model[Guess]:
    made: Model[Guess] = Model(
        encoders=(),
        projector=None,
        llm=Script(),
        decoder=JsonDecoder(Guess),
        prompt=_prompt,
        backbone=_weights(nn.Linear(1, 1), options),
    )
    return made


def _weights(module: nn.Module, options: BuildOptions) -> Assembled:
    made = Assembled({"text": Part(module, "decoder", trained=True)}, small_tokenizer(["a few words"]))
    if options.checkpoint is not None:
        restore(made.parts, Path(options.checkpoint))
    return made


def _prompt(sample: Sample) -> Prompt:
    return Prompt((Message("user", (sample.text or '{"text": ""}',)),))
