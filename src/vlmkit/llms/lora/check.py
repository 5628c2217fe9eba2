"""Does an adapter reach its base in the engine that will serve it? Answered from headers and configurations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vlmkit.llms.lora.base import BaseLayout, base_layout
from vlmkit.llms.lora.compare import compare
from vlmkit.llms.lora.files import AdapterFiles, read_adapter
from vlmkit.llms.lora.identity import DIGEST, mismatch
from vlmkit.llms.lora.names import ENGINES, Engine, vllm_adapts_head, vllm_knows, vllm_name
from vlmkit.llms.lora.spec import role_of
from vlmkit.protocols import Role

VLLM_MAX_RANK = 16
"""vLLM's default `max_lora_rank`."""

SHOWN = 8


@dataclass(frozen=True)
class AdapterReport:
    """What of an adapter reaches a base, engine by engine.

    Attributes:
        matched: key in the file → module of the base.
        unmatched: key in the file → the nearest module of the base, or None.
        rank: the largest.
        roles: how many layers of each role it adapts.
        problems: by engine, one sentence each; no entry for an engine whose names we do not know.
        notes: what to set when serving it, and what could not be told.
    """

    directory: Path
    base: str
    architecture: str
    rank: int
    matched: Mapping[str, str]
    unmatched: Mapping[str, str | None]
    roles: Mapping[Role, int]
    problems: Mapping[Engine, tuple[str, ...]]
    notes: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Every weight reaches a layer of its shape, in every engine that was asked about."""
        return not self.unmatched and not any(self.problems.values())

    def __str__(self) -> str:
        verdict = "fits" if self.ok else "DOES NOT FIT"
        total = len(self.matched) + len(self.unmatched)
        roles = ", ".join(f"{role} {count} layers" for role, count in sorted(self.roles.items())) or "none"
        lines = [
            f"{self.directory}: {verdict} {self.architecture} ({self.base})",
            f"  weights: {len(self.matched)} of {total} reach a layer; rank {self.rank}; roles: {roles}",
        ]
        for engine, problems in self.problems.items():
            lines.append(f"  {engine}: {'ok' if not problems else ''}".rstrip())
            lines += [f"    - {problem}" for problem in problems]
        for key, near in list(self.unmatched.items())[:SHOWN]:
            lines.append(f"  unmatched: {key}" + (f"\n    nearest: {near}" if near else ""))
        if len(self.unmatched) > SHOWN:
            lines.append(f"  unmatched: {len(self.unmatched) - SHOWN} more")
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])


def check_adapter(
    directory: Path, base: str | Path, *, revision: str | None = None, engines: Sequence[Engine] = ENGINES
) -> AdapterReport:
    """Read the adapter's header and both configurations; no weights are loaded and nothing is downloaded.

    Args:
        base: directory with a `config.json`, or a hub id that the local cache knows.
        engines: whose module names have to match.

    Raises `AdapterError` for what is no adapter, or no base.
    """
    files = read_adapter(directory)
    layout = base_layout(base, revision)
    found = compare(files, layout.shapes, layout.architecture)
    problems: dict[Engine, tuple[str, ...]] = {"local": found.problems}
    if vllm_knows(layout.architecture):
        problems["vllm"] = tuple(_vllm_problems(files, layout))
    roles = Counter(role for name in found.modules if (role := role_of(name, layout.prefixes)))
    reached = {key: name for name, keys in found.modules.items() for key in keys}
    notes = _base_notes(files, str(base), revision)
    if "vllm" in engines:
        notes += _vllm_notes(files.config.largest_rank, roles["encoder"], layout.architecture)
    return AdapterReport(
        directory=directory,
        base=str(base),
        architecture=layout.architecture,
        rank=files.config.largest_rank,
        matched=reached,
        unmatched={key: found.unmatched.get(key) for key in files.infos if key not in reached},
        roles=dict(roles),
        problems={engine: problems[engine] for engine in engines if engine in problems},
        notes=tuple(notes),
    )


def _vllm_problems(files: AdapterFiles, layout: BaseLayout) -> list[str]:
    served = {vllm_name(name, layout.architecture) for name, shape in layout.shapes.items() if shape}
    silent = [spoken for spoken in files.tensors if vllm_name(spoken, layout.architecture) not in served]
    problems = []
    if silent:
        problems.append(
            f"{len(silent)} layers are called what vLLM does not know, first {silent[0]!r}, there "
            f"{vllm_name(silent[0], layout.architecture)!r}: it would load the adapter and silently leave them out"
        )
    problems += [f"vLLM takes plain LoRA only: {setting}" for setting in files.config.beyond]
    if not vllm_adapts_head(layout.architecture) and "lm_head" in files.tensors:
        problems.append(f"vLLM refuses an adapter on lm_head for {layout.architecture}")
    return problems


def _base_notes(files: AdapterFiles, base: str, revision: str | None) -> list[str]:
    config = files.config
    if config.base_model_name_or_path is None:
        return ["the adapter does not say which base it was trained on"]
    if config.base_model_name_or_path.startswith(DIGEST):
        return ["trained on weights that only exist beside it; load_adapter compares their digest"]
    wrong = mismatch(config.base_model_name_or_path, config.revision, base, revision)
    return [f"{wrong}; load_adapter refuses that"] if wrong else []


def _vllm_notes(rank: int, n_vision: int, architecture: str) -> list[str]:
    if not vllm_knows(architecture):
        return [f"vllm: not checked, its names for {architecture} are not recorded here"]
    notes = []
    if rank > VLLM_MAX_RANK:
        notes.append(f"vllm: needs max_lora_rank of at least {rank}; its default {VLLM_MAX_RANK} refuses the adapter")
    if n_vision:
        notes.append(f"vllm: needs enable_tower_connector_lora=True, or silently leaves out {n_vision} vision layers")
    return notes
