"""One line for people instead of a traceback, and the exit code that says what kind of failure it was."""

from __future__ import annotations

import functools
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, ParamSpec

import typer

from vlmkit.errors import MissingExtraError, UnknownNameError, VlmkitError
from vlmkit.versions import extra_of

P = ParamSpec("P")

SOME_PROBLEMS = 1
WRONG_USAGE = 2
NOTHING_DONE = 3
_INTERRUPTED = 130  # 128 + SIGINT, what a shell expects


@dataclass
class _State:
    debug: bool = False


_state = _State()


def _debug(value: bool) -> bool:
    _state.debug = value
    return value


def _version(value: bool) -> bool:
    if value:
        from importlib.metadata import PackageNotFoundError, version

        try:
            typer.echo(f"vlmkit {version('vlmkit')}")
        except PackageNotFoundError:
            typer.echo("vlmkit, not installed as a package")
        raise typer.Exit()
    return value


DebugFlag = Annotated[
    bool, typer.Option("--debug", envvar="VLMKIT_DEBUG", callback=_debug, help="Show the traceback of an error.")
]
VersionFlag = Annotated[
    bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and leave.")
]


def say(line: str) -> None:
    """One line on stderr, where everything goes that is not a result."""
    print(line, file=sys.stderr, flush=True)


def guarded(command: Callable[P, None]) -> Callable[P, None]:
    """Turn errors into one line and an exit code. An error that vlmkit did not expect keeps its traceback."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            _naming_extras(command, *args, **kwargs)
        except (typer.Exit, typer.Abort, typer.BadParameter, BrokenPipeError):
            raise
        except KeyboardInterrupt:
            say("vlmkit: stopped")
            raise typer.Exit(_INTERRUPTED) from None
        except (VlmkitError, OSError) as error:
            if _state.debug:
                traceback.print_exc()
            say(f"vlmkit: {_sentence(error)}")
            raise typer.Exit(WRONG_USAGE if isinstance(error, UnknownNameError) else NOTHING_DONE) from None
        except Exception:
            traceback.print_exc()
            say("vlmkit: this is a defect of vlmkit or of a plugin, not of your input; the lines above help to find it")
            raise typer.Exit(NOTHING_DONE) from None

    return run


def _naming_extras(command: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
    """A package that is absent and that an extra of vlmkit brings is no defect."""
    try:
        command(*args, **kwargs)
    except ModuleNotFoundError as error:
        extra = extra_of(error.name)
        if extra is None:
            raise
        raise MissingExtraError(str(error.name), extra) from error


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and not isinstance(error, VlmkitError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__
