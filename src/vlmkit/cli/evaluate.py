"""`vlmkit evaluate TASK`: figures with denominators, intervals and baselines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vlmkit.cli import options
from vlmkit.cli.guard import NOTHING_DONE, SOME_PROBLEMS, say
from vlmkit.cli.heads import find_task
from vlmkit.cli.progress import follow
from vlmkit.cli.settings import settled, settled_head
from vlmkit.errors import VlmkitError
from vlmkit.task import Task
from vlmkit.types import Prediction, Sample

if TYPE_CHECKING:
    from vlmkit.evaluate import Report
    from vlmkit.head import Head

PROBLEMS = 20  # lines about them; of more, the file that lists them is named

Ask = Callable[[Iterable[Sample]], Iterator[Prediction[Any]]]

Out = Annotated[
    Path, typer.Option("-o", metavar="REPORT_DIR", help="Where the report goes: a new folder, or an older report's.")
]
Predictions = Annotated[
    Path | None,
    typer.Option("--predictions", metavar="PATH", help="Answers to score, in the task's own files; no head is asked."),
]
Against = Annotated[
    Path | None,
    typer.Option("--against", metavar="PATH", help="Other answers to the same samples, or a report with them."),
]
Sanity = Annotated[
    bool, typer.Option("--sanity", help="Prove that the evaluation is honest; exit code 1 where a proof fails.")
]
Robustness = Annotated[
    bool, typer.Option("--robustness", help="Ask again about spoilt pictures and texts, and without each modality.")
]


def evaluate(
    ctx: typer.Context,
    task: options.TaskName,
    *,
    data: options.Data,
    out: Out,
    predictions: Predictions = None,
    against: Against = None,
    sanity: Sanity = False,
    robustness: Robustness = False,
    without_learned: options.WithoutLearned = False,
    preset: options.Preset = None,
    model: options.Model = None,
    adapter: options.Adapter = None,
    engine: options.EngineName = "local",
    server: options.ServerAt = None,
    device: options.Device = "auto",
    precision: options.PrecisionName = "auto",
    weights: options.WeightsKind = "pretrained",
    calibration: options.Calibration = "full",
    temperature: options.Temperature = None,
    top_p: options.TopP = None,
    repetition_penalty: options.RepetitionPenalty = None,
    max_tokens: options.MaxTokens = None,
    fps: options.Fps = None,
    max_frames: options.MaxFrames = None,
    batch_size: options.BatchSize = 8,
    seed: options.Seed = 0,
) -> None:
    """Score a head, or a file of answers.

    Figures come with denominators, intervals and baselines; the folder gets metrics.json, predictions.jsonl,
    errors.csv and report.html, a page that needs nothing beside it.

    --against: the difference of every figure, with its interval over the same draws of samples.
    --sanity: up to 64 samples are asked again with truth and names hidden; what is no content must not tell the
    class; copies of the truth are refused, shuffled truth falls to chance, answers left out never help, and the
    head has learned from none of the samples.
    --robustness: every sample is asked once more for each way to spoil it; films and sounds are only taken out.
    """
    found = find_task(task)
    _refuse_both(predictions, robustness or without_learned, preset or model or adapter)
    from vlmkit.evaluate import evaluate as score
    from vlmkit.evaluate import guard_folder

    guard_folder(out)  # first: answers take time
    given = _from_head(ctx, found, data) if predictions is None else _from_file(found, predictions, data)
    samples, answers = given.samples, given.answers
    report = score(found, samples, answers, seed=seed, model=given.who, data=str(data))
    report = replace(report, warnings=(*(given.known or ()), *given.told, *report.warnings))
    if against is not None:
        report = _compared(report, found, samples, answers, against, data, seed)
    _finish(_tried(report, found, given, sanity, robustness, seed), answers, out)


@dataclass(frozen=True)
class _Given:
    """Answers to score, who gave them, and what has to be said about both; `ask` and `known` of a head only."""

    samples: list[Sample]
    answers: list[Prediction[Any]]
    who: str
    told: tuple[str, ...] = ()
    ask: Ask | None = None
    known: tuple[str, ...] | None = None


def _from_head(ctx: typer.Context, task: Task[Any], data: Path) -> _Given:
    from vlmkit.evaluate.join import labelled

    samples = list(task.read(data))
    labelled(samples, str(data))  # before a head is loaded
    chosen = settled(ctx, task)
    head = settled_head(ctx, task, chosen)
    left: tuple[str, ...] = ()
    if ctx.params["without_learned"]:
        samples, left = _unlearned(head, samples)
    ask, known = _asker(head, ctx.params["batch_size"]), head.familiar(samples)
    answers = list(follow(ask(samples), len(samples), f"evaluate {task.name}"))
    who = str(chosen.model or f"preset {ctx.params['preset'] or task.default_preset}")
    who += ", random weights" if ctx.params["weights"] == "random" else ""
    who += f" + {chosen.adapter}" if chosen.adapter else ""
    who += f", engine {ctx.params['engine']}" if ctx.params["engine"] != "local" else ""
    return _Given(samples, answers, who, left, ask, known)


def _refuse_both(predictions: Path | None, asks: bool, head: object) -> None:
    if predictions is not None and head:
        raise typer.BadParameter("give --predictions, or a head to ask (--preset, --model, --adapter); not both")
    if predictions is not None and asks:
        raise typer.BadParameter(
            "--robustness and --without-learned ask a head, and --predictions holds answers already; give a head"
        )


def _unlearned(head: Head[Any], samples: list[Sample]) -> tuple[list[Sample], tuple[str, ...]]:
    """The samples that the head has not learned from, and what is to be said about the others."""
    seen = head.beside.seen
    if seen is None:
        raise VlmkitError("--without-learned: this head has no record of what it has learned from (seen.dat)")
    kept = seen.without(samples)
    n = len(samples) - len(kept)
    return kept, (f"{n} of {len(samples)} samples were learned from, and left out",) if n else ()


def _asker(head: Head[Any], batch_size: int) -> Ask:
    def ask(samples: Iterable[Sample]) -> Iterator[Prediction[Any]]:
        return head.predict_many(samples, batch_size)

    return ask


def _from_file(task: Task[Any], file: Path, data: Path) -> _Given:
    """Told is how the answers were joined, where that has to be said."""
    from vlmkit.evaluate import guard_same_file, guard_self_comparison, read_answers

    guard_same_file(file, data)  # first: the truth's own format may not be the task's, and the reader would say less
    samples = list(task.read(data))
    answers, told = read_answers(task, file, samples)
    guard_self_comparison(samples, answers, scoring=task.scoring, file=file)
    return _Given(samples, answers, str(file), told)


def _compared(
    report: Report,
    task: Task[Any],
    samples: list[Sample],
    answers: list[Prediction[Any]],
    against: Path,
    data: Path,
    seed: int,
) -> Report:
    from vlmkit.evaluate import compare

    kept = against / "predictions.jsonl"  # of a report
    other = _from_file(task, kept if against.is_dir() and (kept.is_file() or task.answers is None) else against, data)
    found = compare(task, samples, answers, other.answers, names=(report.model, str(against)), seed=seed)
    notes = task.scoring.notes(other.answers) if task.scoring.notes else ()
    told = tuple(f"{against}: {line}" for line in (*other.told, *notes))
    return replace(report, comparisons=(found, *report.comparisons), warnings=(*told, *report.warnings))


def _tried(report: Report, task: Task[Any], given: _Given, sanity: bool, robustness: bool, seed: int) -> Report:
    from vlmkit.evaluate import checked, disturbed

    if robustness and given.ask is not None:
        report = disturbed(report, task, given.samples, given.answers, ask=given.ask, seed=seed)
    if sanity:  # last: what failed stands on top
        report = checked(report, task, given.samples, given.answers, ask=given.ask, known=given.known, seed=seed)
    return report


def _finish(report: Report, answers: Iterable[Prediction[Any]], out: Path) -> None:
    folder = report.save(out)
    _say_problems(report, answers, folder)
    say(f"vlmkit: report in {folder}")
    typer.echo(str(report))
    if not report.records:
        raise typer.Exit(NOTHING_DONE)
    if report.failures or not all(check.passed for check in report.sanity):
        raise typer.Exit(SOME_PROBLEMS)


def _say_problems(report: Report, answers: Iterable[Prediction[Any]], folder: Path) -> None:
    """As predict does, for some of them. `errors.csv` need not list an answer that is right in spite of a problem."""
    told = [(one.sample_id, problem) for one in answers for problem in one.problems]
    for key, problem in told[:PROBLEMS]:
        say(f"vlmkit: {key}: {problem.code}: {problem.message}")
    if not (rest := {key for key, _ in told[PROBLEMS:]}):
        return
    listed = {row.get("id") for row in report.columns if "problems" in row}
    listed |= set() if report.columns else {outcome.sample_id for outcome in report.wrong}
    where = f"see {folder / 'errors.csv'}"
    if missing := len(rest - listed):
        where += f" (all but {missing} samples, of which vlmkit predict tells)"
    say(f"vlmkit: and {len(told) - PROBLEMS} more: {where}")
