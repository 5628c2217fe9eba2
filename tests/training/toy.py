"""A composed task that trains in a second: a colour seen, heard and read; every part is real, and small.

Run as a program it is `vlmkit` with this task alone: `python toy.py train toys …`, also under `accelerate launch`.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tests.tiny_models import tiny_qwen2
from vlmkit import loading, plugins
from vlmkit.composed import Composed
from vlmkit.errors import MediaError
from vlmkit.llms.embedded import CausalLm
from vlmkit.model import Model
from vlmkit.parts import Part, restore
from vlmkit.projectors.aligned import Aligned
from vlmkit.task import BuildOptions, Preset, Task
from vlmkit.testing.colours import COLOURS, Colour, ColourDecoder, colours
from vlmkit.testing.fakes import installed
from vlmkit.training.stage import Stage
from vlmkit.types import Batch, Features, Image, Inputs, Media, Message, Modality, Problem, Prompt, Sample, Slot, Sound

SEEN, HEARD, READ = 12, 8, 10  # numbers in a picture, a sound, a text
SPECS = {"image": {"width": SEEN}, "audio": {"width": HEARD}, "text": {"width": READ}}


class Reader:
    """Two rows a picture, one a sound or a text, through a linear layer and batch norm.

    Attributes:
        decoded: how many media it has opened; encoded: how many rows it was asked for.
    """

    def __init__(self, modality: Modality, width: int, dim: int, rows: int = 1) -> None:
        self.modalities: frozenset[Modality] = frozenset({modality})
        self.reads = self.modalities
        self.dim = dim
        self.module: nn.Module = nn.Sequential(nn.Linear(width, dim), nn.BatchNorm1d(dim), nn.GELU())
        self.spec: Mapping[str, Any] = {modality: SPECS[modality]}
        self._modality: Modality = modality
        self._width, self._rows = width, rows
        self.decoded = self.encoded = 0

    def transform(self, sample: Sample, modality: Modality) -> Inputs | None:
        """`[width]`."""
        if modality == "text":
            if not sample.text:
                return None
            letters = np.frombuffer(sample.text.encode(), np.uint8).astype(np.float32)
            return {"words": torch.from_numpy(np.bincount(letters.astype(int) % READ, minlength=READ)).float()}
        medium = sample.media.get(modality)
        if medium is None:
            return None
        self.decoded += 1
        values = np.asarray(medium.source, np.float32).reshape(-1)
        if values.size != self._width:
            raise MediaError(medium.name, "corrupt", f"{values.size} numbers, wanted {self._width}")
        note = Problem("loud", "it is loud", modality) if values.max() > 250 else None
        about: dict[str, Any] = {"notes": (note,) if note else (), "facts": {f"{modality}_mean": float(values.mean())}}
        key = "pixel_values" if modality == "image" else modality
        return {key: torch.from_numpy(values / 255), **about}

    def encode(self, batch: Batch) -> dict[Modality, Features]:
        """`[n, dim]`."""
        key = {"image": "pixel_values", "text": "words"}.get(self._modality, self._modality)
        found = [one[key] for one in batch.inputs if key in one]
        lengths = tuple(self._rows * (key in one) for one in batch.inputs)
        weight = next(self.module.parameters())
        if not found:
            return {self._modality: Features(weight.new_zeros(0, self.dim), lengths)}
        self.encoded += len(found)
        rows: Tensor = self.module(torch.stack(found).to(weight))
        times = torch.arange(self._rows, dtype=torch.float32).repeat(len(found)) if self._rows > 1 else None
        return {self._modality: Features(rows.repeat_interleave(self._rows, 0), lengths, times)}


def model(seed: int = 0) -> Model[Colour]:
    """Random weights, the same for the same seed."""
    torch.manual_seed(seed)
    readers = (Reader("image", SEEN, 16, rows=2), Reader("audio", HEARD, 12), Reader("text", READ, 10))
    hf, tokenizer = tiny_qwen2(seed)
    projector = Aligned({"image": 16, "audio": 12, "text": 10}, 64, dim=32, hidden=48, n_tokens=2)
    parts: dict[str, Part] = {next(iter(one.modalities)): Part(one.module, "encoder", trained=True) for one in readers}
    parts |= {"aligner": Part(projector.aligner, "aligner"), "projector": Part(projector.module, "projector")}
    made: Model[Colour] = Model(
        encoders=readers,
        projector=projector,
        llm=CausalLm(hf.eval(), tokenizer),
        decoder=ColourDecoder(),
        prompt=prompt,
        backbone=Composed(hf, tokenizer, parts),
    )
    made.eval()
    return made


def prompt(sample: Sample) -> Prompt:
    """A slot for what was used, and the text."""
    used: Sequence[Modality] = sample.meta.get("used", ("image",))
    slots = tuple(Slot(modality) for modality in used if modality != "text")
    return Prompt((Message("user", (*slots, f"{sample.text or ''} Which colour?")),))


def samples(n: int, seed: int = 0, *, lacking: bool = True, truth: bool = True, start: int = 0) -> list[Sample]:
    """Colours that can be told from every medium; where media are lacking, one of them at least is left."""
    draw = np.random.default_rng(seed)
    made = []
    for index in range(n):
        number = int(draw.integers(len(COLOURS)))
        picture = (draw.random(SEEN) * 120).astype(np.uint8)
        picture[3 * number : 3 * number + 3] += 120
        sound = draw.random((1, HEARD)).astype(np.float32) * 100
        sound[0, 2 * number : 2 * number + 2] += 100
        here = draw.random(3) < 0.8 if lacking else np.ones(3, bool)
        here[int(draw.integers(3))] = True
        media: dict[Modality, Media] = {}
        if here[0]:
            media["image"] = Image(picture.reshape(2, 2, 3))
        if here[1]:
            media["audio"] = Sound(sound, rate_hz=8)
        # Answers are of unequal length: the frame has one digit, or two.
        colour = Colour(COLOURS[number], int(draw.integers(50))) if truth else None
        text = f"a {COLOURS[number]} thing" if here[2] else None
        made.append(
            Sample(f"s{start + index:03d}", media, text, colour, {"colour": COLOURS[number], "synthetic": True})
        )
    return made


def group(sample: Sample) -> str | None:
    """Things of one colour are positives of each other."""
    return str(sample.meta["colour"])


def labels(sample: Sample) -> Mapping[Modality, Mapping[str, str]]:
    """What can be learned from each medium."""
    colour = str(sample.meta["colour"])
    return {"image": {"colour": colour}, "audio": {"colour": colour, "never.told": "one"}}


SEE = Stage("see", "attributes", ("encoder",), {"encoder": 1e-2}, steps=12, batch_size=8, labels=labels)
ALIGN = Stage("align", "align", ("aligner",), {"aligner": 1e-2}, steps=12, batch_size=8, evals=3, group=group)
SAY = Stage("say", "sft", ("projector", "lora"), {"projector": 1e-3, "lora": 5e-3}, steps=20, batch_size=4, evals=2)
LORA = {"role": "llm", "r": 2, "alpha": 4}
STAGES: tuple[Stage, ...] = (ALIGN, replace(SAY, lora=LORA))


def toys() -> Task[Colour]:
    """The task. Its data folder holds `toys.json`: how many samples of which seed."""
    return replace(
        colours(),
        name="toys",
        accepts=frozenset[Modality]({"image", "audio", "text"}),
        requires=frozenset[Modality](),
        presets={"tiny": Preset("tiny", "for tests", {}, synthetic=False)},
        default_preset="tiny",
        prompt=prompt,
        specs=lambda preset: SPECS,
        build=_build,
        stages=lambda preset: STAGES,
        read=_read,
    )


def folder(path: Path, n: int, seed: int = 0, **options: Any) -> Path:
    """A data folder."""
    path.mkdir(parents=True)
    (path / "toys.json").write_text(json.dumps({"n": n, "seed": seed, **options}))
    return path


def _read(path: Path) -> list[Sample]:
    return samples(**json.loads((path / "toys.json").read_text()))


def _build(preset: str, options: BuildOptions) -> Model[Colour]:
    made = model()
    if options.checkpoint is not None and isinstance(made.backbone, Composed):
        restore(made.backbone.parts, Path(options.checkpoint))
    return made


def register(patch: Any) -> None:
    """Make the task the only installed one, for a test."""
    for module in (loading, plugins):  # both imported by now: what is undone has to be what was there
        patch.setattr(module, "installed", lambda: _INSTALLED)


_INSTALLED = installed("tests.training.toy:toys")


@dataclass
class _Killer:
    """Ends this process without a word when the trainer has saved so often in a stage."""

    stage: str
    after: int
    seen: list[int] = field(default_factory=list)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if not args.output_dir.endswith(f"-{self.stage}"):
            return
        self.seen.append(state.global_step)
        if len(self.seen) >= self.after:
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """The program; with `TOY_KILL` as `STAGE:N` it kills itself at the N-th save of a stage."""
    from unittest import mock

    from transformers import TrainerCallback

    from vlmkit.cli import main as program
    from vlmkit.training import loop

    class Killed(_Killer, TrainerCallback):
        """Both."""

    class Plain:
        """What `register` needs of pytest's monkeypatch."""

        @staticmethod
        def setattr(target: Any, name: str, value: Any) -> None:
            mock.patch.object(target, name, value).start()

    register(Plain)
    if moment := os.environ.get("TOY_KILL"):
        stage, _, after = moment.partition(":")
        killer = Killed(stage, int(after))
        kept = loop._Trainer.__init__

        def begin(self: Any, *args: Any, **keywords: Any) -> None:
            kept(self, *args, **keywords)
            self.add_callback(killer)

        loop._Trainer.__init__ = begin  # type: ignore[method-assign]
    program()


if __name__ == "__main__":
    main()
