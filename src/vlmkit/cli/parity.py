"""`vlmkit parity TASK`: the same samples through two engines, step by step."""

from __future__ import annotations

import gc
import json
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from vlmkit.cli import options
from vlmkit.cli.guard import NOTHING_DONE, SOME_PROBLEMS, say
from vlmkit.cli.heads import find_task, open_head
from vlmkit.cli.inputs import samples_of
from vlmkit.cli.output import result_file
from vlmkit.cli.progress import follow
from vlmkit.cli.settings import settled
from vlmkit.errors import DataError, MissingExtraError, UnknownNameError
from vlmkit.task import Engine, Task
from vlmkit.types import Modality, Sample

if TYPE_CHECKING:
    from vlmkit.parity import Record

Files = list[Path] | None
ENGINES = ("vllm", "openai")  # called like the module and the extra that they need


def parity(
    ctx: typer.Context,
    task: options.TaskName,
    *,
    engine: Annotated[
        list[str] | None,
        typer.Option(
            "--engine",
            metavar="NAME",
            help=f"{', '.join(get_args(Engine))}; may be repeated. The first is the reference.",
        ),
    ] = None,
    data: Annotated[Path | None, typer.Option("--data", metavar="DIR", help="A folder of samples.")] = None,
    image: Annotated[
        Files, typer.Option("--image", metavar="P", help="A picture or a folder; may be repeated.")
    ] = None,
    audio: Annotated[Files, typer.Option("--audio", metavar="P", help="A sound or a folder; may be repeated.")] = None,
    video: Annotated[Files, typer.Option("--video", metavar="P", help="A film or a folder; may be repeated.")] = None,
    text: Annotated[str | None, typer.Option("--text", metavar="S", help="Text that goes with every sample.")] = None,
    n: Annotated[int, typer.Option("-n", min=1, help="How many samples, the first ones.")] = 8,
    preset: options.Preset = None,
    model: options.Model = None,
    adapter: options.Adapter = None,
    server: options.ServerAt = None,
    device: options.Device = "auto",
    precision: options.PrecisionName = "auto",
    weights: options.WeightsKind = "pretrained",
    batch_size: options.BatchSize = 8,
    save: Annotated[
        Path | None, typer.Option("--save", metavar="FILE", help="Keep what the one engine told, for --against.")
    ] = None,
    against: Annotated[
        Files, typer.Option("--against", metavar="FILE", help="What --save kept, the reference then; may be repeated.")
    ] = None,
    out: Annotated[Path | None, typer.Option("-o", metavar="FILE", help="Write the comparison as JSON too.")] = None,
) -> None:
    """Ask two engines about the same samples, and compare.

    Prompt ids, pixel grids, the first token that differs (after how many equal ones, and how near the reference was to
    another), and the values. What an engine cannot tell is a dash, and counts nowhere. Greedy, under the schema.

    Engines of two environments: --engine local --save FILE in the one, --engine vllm --against FILE in the other.
    Exit code 1 where a value differs, 3 where nobody had an answer.
    """
    names = _engines(engine or [], against or [], save, server)
    records = _read(task, against or [])
    given: Mapping[Modality, Sequence[Path]] = {"image": image or [], "audio": audio or [], "video": video or []}
    found = find_task(task)
    samples = _samples(found, data, given, text, n) if names else []
    chosen: dict[str, Any] = {"preset": preset, "model": model, "adapter": adapter, "device": device}
    chosen |= {"precision": precision, "weights": weights, "calibration": "none", **settled(ctx, found).load()}
    for name in names:
        record = _asked(task, name, samples, batch_size, _fitting(name, chosen, server))
        if save is not None:
            _keep(record, save)
        records[_free(name, records)] = record
    if len(records) == 1:
        (only,) = records.values()
        raise typer.Exit(0 if any(row.value is not None for row in only.samples) else NOTHING_DONE)
    raise typer.Exit(_shown(records, out))


def _keep(record: Record, file: Path) -> None:
    with result_file(file) as stream:
        print(record.model_dump_json(), file=stream)
    say(f"vlmkit: what {record.engine} told about {len(record.samples)} samples is in {file}")


def _shown(records: Mapping[str, Record], out: Path | None) -> int:
    """Print the comparison; gives the exit code."""
    from vlmkit.parity import compare_records

    found = compare_records(records)
    if out is not None:
        with result_file(out) as stream:
            print(json.dumps(found.to_json(), ensure_ascii=False, indent=2, allow_nan=False), file=stream)
    typer.echo(str(found))
    return 0 if found.agrees else SOME_PROBLEMS if found.answered else NOTHING_DONE


def _engines(given: Sequence[str], against: Sequence[Path], save: Path | None, server: str | None) -> list[Engine]:
    """Those that are to be asked. Raises for what cannot be compared, before any of them has worked for minutes."""
    known: dict[str, Engine] = {name: name for name in get_args(Engine)}
    if unknown := [name for name in given if name not in known]:
        raise UnknownNameError("engine", unknown[0], known)
    engines = [known[name] for name in given]
    if len(set(engines)) < len(engines):
        raise typer.BadParameter("an engine is asked once; give each --engine once")
    if save is not None and len(engines) != 1:
        raise typer.BadParameter(f"--save keeps what one engine told; given {len(engines)} of them (--engine)")
    if len(engines) + len(against) + (save is not None) < 2:
        raise typer.BadParameter(
            "two engines are compared: --engine local --engine vllm; or one with a record of the other: "
            "--engine vllm --against FILE, which --engine local --save FILE has made"
        )
    for name in engines:
        if name in ENGINES and find_spec(name) is None:
            raise MissingExtraError(name, name)
    _check_server(engines, server)
    return engines


def _check_server(engines: Sequence[Engine], server: str | None) -> None:
    if "openai" in engines:
        from vlmkit.llms.openai.client import addressed
        from vlmkit.remote import Server

        addressed(Server(server))
    elif server is not None:
        raise typer.BadParameter("--server is for --engine openai; give both, or none")


def _read(task: str, files: Sequence[Path]) -> dict[str, Record]:
    from vlmkit.parity import read

    found: dict[str, Record] = {}
    for file in files:
        record = read(file)
        if record.task != task:
            raise DataError(f"{file} holds what {record.engine} answered to {record.task!r}, not to {task!r}")
        found[_free(record.engine, found, file.name)] = record
    return found


def _free(name: str, taken: Mapping[str, Any], more: str = "now") -> str:
    """The engine's name; with something else where another has it already."""
    told = name if name not in taken else f"{name} ({more})"
    if told in taken:
        raise typer.BadParameter(f"{told} is given twice")
    return told


def _samples(
    task: Task[Any], data: Path | None, given: Mapping[Modality, Sequence[Path]], text: str | None, n: int
) -> list[Sample]:
    if data is not None:
        if text is not None or any(given.values()):
            raise typer.BadParameter("give --data, or files; not both")
        return list(islice(task.read(data), n))
    every = samples_of(task, given, text)
    if len(every) > n:
        say(f"vlmkit: the first {n} of {len(every)} samples; -n says how many")
    return every[:n]


def _fitting(engine: Engine, chosen: Mapping[str, Any], server: str | None) -> dict[str, Any]:
    """What was chosen, as one engine can be told: a server has a device and a precision of its own."""
    if engine != "openai":
        return dict(chosen)
    return {**chosen, "device": "auto", "precision": "auto", "server": server}


def _asked(task: str, engine: Engine, samples: Sequence[Sample], batch_size: int, chosen: Mapping[str, Any]) -> Record:
    """One engine at a time: two of them need not fit in memory together."""
    from vlmkit.parity import recorded, told

    head = open_head(task, engine=engine, **chosen)
    record = recorded(head, follow(told(head, samples, batch_size), len(samples), f"parity {engine}"))
    del head
    gc.collect()
    return record
