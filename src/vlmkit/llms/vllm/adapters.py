"""Adapters before vLLM is started: every weight of theirs has to reach a layer there, or the start is refused.

vLLM itself loads an adapter of which it knows no module name, and answers as the base does.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from vlmkit.errors import AdapterError
from vlmkit.llms.lora.base import BaseLayout, base_layout
from vlmkit.llms.lora.check import check_adapter
from vlmkit.llms.lora.compare import compare
from vlmkit.llms.lora.files import CONFIG, WEIGHTS, AdapterFiles, read_adapter
from vlmkit.llms.lora.host import weights_sha256
from vlmkit.llms.lora.identity import DIGEST, mismatch
from vlmkit.llms.lora.load import values_of
from vlmkit.llms.lora.names import vllm_knows
from vlmkit.llms.lora.spec import role_of
from vlmkit.llms.vllm.settings import RANKS

Probe = Callable[[Any, bool], list[float]]

_PARTS = 1_000_000  # numbers of parts of adapters begin above those of whole ones


@dataclass(frozen=True)
class Served:
    """An adapter that vLLM can serve.

    Attributes:
        rank: the largest.
        keys: names of the layers that it reaches, as `transformers` calls them, with their A and B in the file.
        vision: those that are the vision tower's.
        number: what vLLM knows it by, from 1 up.
    """

    name: str
    path: Path
    rank: int
    keys: Mapping[str, tuple[str, str]]
    vision: tuple[str, ...]
    number: int

    @property
    def language(self) -> bool:
        """Whether some layers are the language model's."""
        return len(self.keys) > len(self.vision)

    @property
    def request(self) -> Any:
        """The `LoRARequest` of a prompt that it answers."""
        from vllm.lora.request import LoRARequest

        return LoRARequest(self.name, self.number, str(self.path))


def servable(adapters: Mapping[str, Path], folder: Path, base: str | None, revision: str | None) -> list[Served]:
    """These adapters, read and compared with the base in `folder`; no weights of the base are loaded.

    Args:
        base: hub id of what lies in `folder`, with `revision`; None for weights that are on no hub.

    Raises `AdapterError` for one of another base, with a rank above vLLM's limit, with keys that reach nothing, that
    is more than plain LoRA (`modules_to_save`, DoRA …), broken, or not trained at all.
    """
    if not adapters:
        return []
    layout = base_layout(folder)
    if not vllm_knows(layout.architecture):
        raise AdapterError(
            f"how vLLM calls the modules of {layout.architecture} is not recorded here, and where a name is wrong it "
            "leaves weights out without a word; merge the adapter first (vlmkit adapter merge), and load the result"
        )
    return [
        _servable(name, Path(path), folder, layout, base, revision, number)
        for number, (name, path) in enumerate(adapters.items(), start=1)
    ]


def _servable(
    name: str, path: Path, folder: Path, layout: BaseLayout, base: str | None, revision: str | None, number: int
) -> Served:
    files = read_adapter(path)
    _same_base(files, folder, layout, base, revision)
    report = check_adapter(path, folder)
    if not report.ok:
        problems = list(dict.fromkeys(problem for found in report.problems.values() for problem in found))
        raise AdapterError(
            f"{path}: vLLM cannot serve it on {layout.architecture}: {'. '.join(problems)}. "
            f"To see all of it: vlmkit adapter check {path} --base {base or folder}"
        )
    if report.rank > RANKS[-1]:
        raise AdapterError(f"{path}: rank {report.rank} is above {RANKS[-1]}, the largest that vLLM takes; merge it")
    found = compare(files, layout.shapes, layout.architecture)
    if not any(bool(up.any()) for _, up in values_of(files, found.modules).values()):
        raise AdapterError(
            f"{path}: every lora_B is zero, so it would change nothing: it was saved before any training step"
        )
    vision = tuple(module for module in found.modules if role_of(module, layout.prefixes) == "encoder")
    return Served(name, path, report.rank, found.modules, vision, number)


def _same_base(files: AdapterFiles, folder: Path, layout: BaseLayout, base: str | None, revision: str | None) -> None:
    recorded = files.config.base_model_name_or_path
    given = base or (digest_of(folder, layout) if (recorded or "").startswith(DIGEST) else str(folder))
    if wrong := mismatch(recorded, files.config.revision, given, revision):
        raise AdapterError(f"{files.directory}: {wrong}; load that base")


def digest_of(folder: Path, layout: BaseLayout) -> str:
    """What an adapter names as its base where that is on no hub: a digest of its weights (`LoraHost.identity`)."""
    import transformers

    hf = getattr(transformers, layout.architecture).from_pretrained(
        folder, dtype="auto", use_safetensors=True, trust_remote_code=False
    )
    return f"{DIGEST}{weights_sha256(hf.state_dict())}"


def prove(probe: Probe, forget: Callable[[int], Any], served: Served) -> None:
    """Raises `AdapterError` where the base with the adapter holds the same probable as the base alone.

    What it adapts of the vision tower is proved on its own, without the language model's layers.

    Args:
        probe: `(LoRARequest or None, with a picture) -> ` log-probabilities of a fixed prompt's tokens.
        forget: takes an adapter out of vLLM by its number.
    """
    if served.language:
        _differs(probe, served, served.path, pictured=False)
    if served.vision and served.language:
        with TemporaryDirectory(prefix="vlmkit-adapter-") as folder:
            part = _vision_part(served, Path(folder))
            _differs(probe, part, served.path, pictured=True)
            forget(part.number)
    elif served.vision:
        _differs(probe, served, served.path, pictured=True)


def _differs(probe: Probe, served: Served, path: Path, *, pictured: bool) -> None:
    base, again, adapted = probe(None, pictured), probe(None, pictured), probe(served.request, pictured)
    noise = max(abs(a - b) for a, b in zip(base, again, strict=True))
    effect = max(abs(a - b) for a, b in zip(base, adapted, strict=True))
    if not effect > noise:
        part = "vision layers" if pictured else "layers"
        raise AdapterError(
            f"{path}: vLLM has loaded it, and its {part} change nothing (log-probabilities differ from the base's by "
            f"{effect:.2g}, and those of the base from themselves by {noise:.2g}); merge it (vlmkit adapter merge) and "
            "load the result"
        )


def _vision_part(served: Served, folder: Path) -> Served:
    from safetensors.torch import load_file, save_file

    tensors = load_file(served.path / WEIGHTS)
    keys = {module: served.keys[module] for module in served.vision}
    save_file({key: tensors[key] for pair in keys.values() for key in pair}, folder / WEIGHTS)
    shutil.copy(served.path / CONFIG, folder / CONFIG)
    number = served.number + _PARTS
    return replace(served, name=f"{served.name} (vision)", path=folder, keys=keys, number=number)
