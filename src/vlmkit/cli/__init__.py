"""The command line. Command modules import nothing heavy at their top, so that `--help` is quick."""

from __future__ import annotations

import sys
from io import TextIOWrapper

import typer

from vlmkit.cli import (
    adapter,
    bench,
    calibrate,
    convert,
    demo,
    doctor,
    evaluate,
    explain,
    export,
    info,
    parity,
    plugins,
    predict,
    synth,
    tasks,
    train,
)
from vlmkit.cli.guard import DebugFlag, VersionFlag, guarded

__all__ = ["app", "main"]

app = typer.Typer(
    name="vlmkit",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: importing rich's renderer costs as much as all the rest of --help
)


@app.callback()
def program(debug: DebugFlag = False, version: VersionFlag = False) -> None:
    """Small multimodal task heads: media in, one typed and checked result out.

    Results go to stdout, everything else to stderr. Exit codes: 0 all good, 1 some samples have problems,
    2 wrong usage, 3 nothing could be done.
    """


for _command in (
    tasks.tasks,
    plugins.plugins,
    info.info,
    doctor.doctor,
    predict.predict,
    synth.synth,
    train.train,
    calibrate.calibrate,
    evaluate.evaluate,
    parity.parity,
    demo.demo,
    bench.bench,
    convert.convert,
    explain.explain,
    export.export,
):
    app.command()(guarded(_command))
app.add_typer(adapter.app, name="adapter")


def main() -> None:
    """The console script. `--debug` works before and after the command's name."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # JSON is UTF-8 whatever the terminal's locale says
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    arguments = sys.argv[1:]
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    if "--debug" in options:
        arguments.remove("--debug")
        arguments.insert(0, "--debug")
    app(arguments, prog_name="vlmkit")
