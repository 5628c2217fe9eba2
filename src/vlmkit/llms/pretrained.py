"""Weights of a hub id or a local directory, whole and safe, or one line that says why not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from vlmkit.errors import CheckpointError
from vlmkit.hub import require_reachable
from vlmkit.placement import Placement
from vlmkit.safety import refuse_pickles


def load_pretrained(
    models: Any, processors: Any, source: str | Path, where: Placement, revision: str | None = None
) -> tuple[Any, Any, str | None]:
    """The model in eval mode, its tokenizer or processor, and the hub's commit (None for a directory).

    Args:
        models, processors: auto classes of `transformers`.

    Raises `CheckpointError` for weights that are not there, only as pickles, or not all there.
    """
    if Path(source).is_dir():
        refuse_pickles(Path(source))
    else:
        require_reachable(str(source), revision=revision)
    try:
        processor = processors.from_pretrained(source, revision=revision, trust_remote_code=False)
        hf, report = models.from_pretrained(
            source,
            revision=revision,
            use_safetensors=True,
            trust_remote_code=False,  # left open, transformers asks on stdin whether to run a folder's Python
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # the report names them, and they are refused below
            **where.loading(),
        )
    except (OSError, ValueError, SafetensorError) as error:
        raise CheckpointError(
            f"cannot load {str(source)!r}: a file of it is missing or damaged, in the folder, in the local cache or on "
            "the hub; preset='tiny' (--preset tiny) works offline"
        ) from error
    _refuse_gaps(source, report)
    if where.quantization is None:
        hf = hf.to(where.device)
    commit = revision or getattr(hf.config, "_commit_hash", None)  # what the hub's branch stood for just now
    return hf.eval(), processor, None if Path(source).is_dir() else commit


def _refuse_gaps(source: str | Path, report: Mapping[str, Any]) -> None:
    """`transformers` fills what a file does not hold with random numbers, and goes on."""
    for kind in ("missing_keys", "mismatched_keys", "unexpected_keys"):
        if found := sorted(map(str, report.get(kind) or ())):
            raise CheckpointError(f"{source}: {len(found)} weights are {kind.split('_')[0]}, the first is {found[0]}")
