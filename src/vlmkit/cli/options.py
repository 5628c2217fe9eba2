"""Options that mean the same wherever they stand: written once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from vlmkit.task import Engine, Precision, Weights

TaskName = Annotated[str, typer.Argument(metavar="TASK", help="A name that `vlmkit tasks` lists.")]

Preset = Annotated[
    str | None, typer.Option("--preset", help="Which weights; `vlmkit info TASK` lists them. The real ones by default.")
]
Model = Annotated[
    str | None,
    typer.Option("--model", metavar="DIR", help="A checkpoint of `vlmkit train`, or other weights: DIR or a hub id."),
]
Adapter = Annotated[Path | None, typer.Option("--adapter", metavar="DIR", help="A LoRA adapter on top of it.")]
EngineName = Annotated[Engine, typer.Option("--engine", help="What runs the language model.")]
ServerAt = Annotated[
    str | None,
    typer.Option(
        "--server", metavar="URL[#MODEL]", help="Where --engine openai is, and its name there. [env: OPENAI_BASE_URL]"
    ),
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1 …")]
PrecisionName = Annotated[Precision, typer.Option("--precision", help="Of the weights; auto asks the device.")]
WeightsKind = Annotated[
    Weights, typer.Option("--weights", help="random: the full-size model with random weights, without a download.")
]

Calibration = Annotated[
    Literal["full", "pilot", "none"],
    typer.Option("--calibration", help="Which one of the checkpoint is applied; none: the model's own figures."),
]
AbstainBelow = Annotated[
    float | None,
    typer.Option("--abstain-below", metavar="P", help="Withhold answers that the head is less sure of, 0 < P <= 1."),
]

Temperature = Annotated[
    float | None, typer.Option("--temperature", min=0, max=2, help="Of replies; 0: the likeliest words.")
]
TopP = Annotated[
    float | None, typer.Option("--top-p", max=1, help="Draw from the likeliest words with this much probability.")
]
RepetitionPenalty = Annotated[
    float | None, typer.Option("--repetition-penalty", help="Above 1: words that were there come less often.")
]
MaxTokens = Annotated[int | None, typer.Option("--max-tokens", min=1, help="The longest reply, in tokens.")]
Fps = Annotated[float | None, typer.Option("--fps", help="Frames of a film that are looked at, a second.")]
MaxFrames = Annotated[int | None, typer.Option("--max-frames", min=1, help="The most frames of one look.")]
Results = Annotated[
    Path | None,
    typer.Option("--results", metavar="DIR", help="Write the task's own result files there, besides."),
]

Val = Annotated[
    Path | None, typer.Option("--val", metavar="DIR", help="A folder to validate on; held out of --data by default.")
]
ValShare = Annotated[
    float, typer.Option("--val-share", help="Share of the samples that is held out, where a stage validates.")
]
ReportTo = Annotated[
    list[str],
    typer.Option("--report-to", metavar="NAME", help="mlflow, tensorboard or wandb; several times for several."),
]
Cache = Annotated[
    Path | None,
    typer.Option("--cache", metavar="DIR", help="Rows of frozen encoders, kept between runs. [env: VLMKIT_CACHE]"),
]

WithoutLearned = Annotated[
    bool, typer.Option("--without-learned", help="Leave out samples that the head has learned from.")
]
Data = Annotated[Path, typer.Option("--data", metavar="DIR", help="A folder of samples with truth.")]
Seed = Annotated[int, typer.Option("--seed", help="Same seed, same result.")]
Format = Annotated[
    Literal["task", "record"],
    typer.Option("--format", help="task: the JSON that the task promises; record: with problems and provenance."),
]
BatchSize = Annotated[int, typer.Option("--batch-size", min=1, help="Samples that the model sees at once.")]
