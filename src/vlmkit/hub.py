"""Weights of a hub id or a local folder: whole and safe, or one line that says why not."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from vlmkit.errors import CheckpointError
from vlmkit.safety import refuse_pickles

log = logging.getLogger("vlmkit")
_PATIENCE_S = 10
_REPORTS = logging.getLogger("transformers.modeling_utils")


def require_reachable(repository: str, filename: str = "config.json", revision: str | None = None) -> None:
    """Raises `CheckpointError` in one sentence unless the file is in the local cache or the hub answers.

    The hub is asked once, before its client spends minutes on finding out that there is no network.
    """
    from huggingface_hub import constants, get_session, try_to_load_from_cache

    if isinstance(try_to_load_from_cache(repository, filename, revision=revision), str):
        return
    answers = not constants.HF_HUB_OFFLINE
    if answers:
        log.info("%s is not in the local cache; asking %s", repository, constants.ENDPOINT)
    try:
        if answers:
            get_session().head(constants.ENDPOINT, timeout=_PATIENCE_S)
    except Exception:  # the hub's HTTP library, and with it every error class, differs between its releases
        answers = False
    if not answers:
        raise CheckpointError(
            f"cannot load {repository!r}: it is neither a local folder nor in the local cache, and the hub does not "
            "answer; preset='tiny' (--preset tiny) works offline"
        )


def opened(
    models: Any, processors: Any, source: str | Path, *, revision: str | None = None, **loading: Any
) -> tuple[Any, Any, Mapping[str, Any]]:
    """A model of `transformers`, what prepares its inputs, and the report on gaps that `refuse_gaps` reads.

    No code of a folder is run, no pickle is opened, and nobody is asked whether either may be.

    Args:
        models: a model class, an auto class, or a function that picks one for a configuration.
        processors: the class of its tokenizer or processor; None where none is wanted.
        loading: what the model's `from_pretrained` takes besides, such as `dtype`.

    Raises `CheckpointError` for files that are not there or damaged, and for weights that are only there as pickles.
    """
    if Path(source).is_dir():
        refuse_pickles(Path(source))
    else:
        require_reachable(str(source), revision=revision)
    # left open, transformers asks on stdin whether to run a folder's Python
    asked: dict[str, Any] = {"revision": revision, "trust_remote_code": False}
    try:
        _REPORTS.addFilter(_own_report)
        processor = None if processors is None else processors.from_pretrained(source, **asked)
        hf, report = models.from_pretrained(
            source,
            **asked,
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # the report names them
            **loading,
        )
    except (OSError, ValueError, SafetensorError) as error:
        raise CheckpointError(
            f"cannot load {str(source)!r}: a file of it is missing or damaged, in the folder, in the local cache or on "
            "the hub, or its weights are no .safetensors (`vlmkit convert` makes some); preset='tiny' (--preset tiny) "
            "works offline"
        ) from error
    finally:
        _REPORTS.removeFilter(_own_report)
    return hf, processor, report


def refuse_gaps(
    source: str | Path, report: Mapping[str, Any], spare: Callable[[str, str], bool] = lambda kind, key: False
) -> None:
    """Raises `CheckpointError` for weights that are missing, mismatched or unexpected.

    `transformers` fills what a file does not hold with random numbers, and goes on.

    Args:
        spare: `(kind, key)`; whether this one may be so, because it is not read.
    """
    for kind in ("missing", "mismatched", "unexpected"):
        keys = sorted(map(str, report.get(f"{kind}_keys") or ()))
        if found := [key for key in keys if not spare(kind, key)]:
            raise CheckpointError(f"{source}: {len(found)} weights are {kind}, the first is {found[0]}")


def _own_report(record: logging.LogRecord) -> bool:
    """`transformers` lists each weight that was left, hundreds where one tower of two is read; `refuse_gaps` judges."""
    return "LOAD REPORT" not in record.getMessage()
