"""An adapter's files beside the layers of a base: what fits, and what does not and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from vlmkit.llms.lora.files import AdapterFiles
from vlmkit.llms.lora.names import aliases, local_name, nearest

SHOWN = 3


@dataclass(frozen=True)
class Comparison:
    """What of an adapter reaches a base.

    Attributes:
        modules: module of the base → its two keys, A and B; complete pairs of the right shape only.
        unmatched: key → the nearest module of the base, or None.
        problems: one sentence each; empty when everything fits.
    """

    modules: Mapping[str, tuple[str, str]]
    unmatched: Mapping[str, str | None]
    problems: tuple[str, ...]


def compare(files: AdapterFiles, shapes: Mapping[str, tuple[int, int] | None], architecture: str) -> Comparison:
    """Find every weight's layer.

    Args:
        shapes: of the base, as `layer_shapes` gives them.
        architecture: class name of the base, which decides what older names mean.
    """
    linears = {name: shape for name, shape in shapes.items() if shape is not None}
    problems = [f"{setting}: more than a plain LoRA" for setting in files.config.beyond]
    unmatched: dict[str, str | None] = {key: None for key in files.strange}
    if files.strange:
        problems.append(f"not lora_A or lora_B weights: {_few(files.strange)}")
    found: dict[str, dict[str, str]] = {}
    for spoken, parts in files.tensors.items():
        name = local_name(spoken, architecture, linears)
        if name is None or name in found:
            unmatched.update(dict.fromkeys(parts.values(), nearest(spoken, linears)))
        else:
            found[name] = dict(parts)
    problems += _unknown(unmatched, architecture) + _halves(found)
    pairs = {name: (parts["A"], parts["B"]) for name, parts in found.items() if len(parts) == 2}
    problems += _not_as_configured(files, set(found), shapes, architecture)
    fitting, misfits = _shapes(files, pairs, linears)
    return Comparison(fitting, unmatched, tuple(problems + misfits))


def _unknown(unmatched: Mapping[str, str | None], architecture: str) -> list[str]:
    lines = [f"{key} (nearest: {near})" if near else key for key, near in unmatched.items()]
    return [f"{architecture} has no layer for {len(lines)} weights: {_few(lines)}"] if lines else []


def _halves(found: Mapping[str, Mapping[str, str]]) -> list[str]:
    halves = [f"{name} has only lora_{next(iter(parts))}" for name, parts in found.items() if len(parts) == 1]
    return [f"{len(halves)} weights are missing: {_few(halves)}"] if halves else []


def _not_as_configured(files: AdapterFiles, found: set[str], names: Iterable[str], architecture: str) -> list[str]:
    from peft.tuners.tuners_utils import check_target_module_exists
    from peft.utils.other import get_pattern_key

    if files.config.beyond:
        return []  # already refused, and such a setting may decide what is targeted
    config = files.config.to_peft()
    meant = {
        name
        for name in names
        # A result for an excluded module is falsy, and so is no match.
        if any(check_target_module_exists(config, alias) for alias in aliases(name, architecture))
    }
    problems = []
    if missing := sorted(meant - found):
        problems.append(f"{len(missing)} layers of target_modules have no weights in the file: {_few(missing)}")
    if extra := sorted(found - meant):
        problems.append(f"{len(extra)} layers have weights and are no target_modules: {_few(extra)}")
    for setting in ("rank_pattern", "alpha_pattern"):
        patterns: dict[str, Any] = getattr(files.config, setting) or {}
        used = {get_pattern_key(list(patterns), name) for name in found}
        if unused := sorted(patterns.keys() - used):
            problems.append(f"{setting} speaks of layers that are not there: {_few(unused)}")
    return problems


def _shapes(
    files: AdapterFiles, pairs: Mapping[str, tuple[str, str]], linears: Mapping[str, tuple[int, int]]
) -> tuple[dict[str, tuple[str, str]], list[str]]:
    from peft.utils.other import get_pattern_key

    patterns: dict[str, Any] = dict(files.config.rank_pattern or {})
    fitting, ranks, widths = {}, [], []
    for name, (a, b) in pairs.items():
        rank = patterns.get(get_pattern_key(list(patterns), name), files.config.r)
        inputs, outputs = linears[name]
        down, up = files.infos[a].shape, files.infos[b].shape
        if (down, up) == ((rank, inputs), (outputs, rank)):
            fitting[name] = (a, b)
        elif len(down) == len(up) == 2 and (down[1], up[0]) == (inputs, outputs):
            ranks.append(f"{name} has rank {down[0]}, the configuration says {rank}")
        else:
            widths.append(f"{name} maps {inputs} to {outputs}, the file's A and B are {list(down)} and {list(up)}")
    problems = [f"{len(ranks)} layers of another rank: {_few(ranks)}"] if ranks else []
    problems += [f"{len(widths)} layers of another shape: {_few(widths)}"] if widths else []
    return fitting, problems


def _few(items: list[str] | tuple[str, ...]) -> str:
    more = f" and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
    return "; ".join(items[:SHOWN]) + more
