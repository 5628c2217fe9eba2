"""A head to a folder for small machines: encoders as ONNX graphs, the language model in int8, everything compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from vlmkit.composed import Composed
from vlmkit.edge.compare import Compared, compared, logits
from vlmkit.edge.onnx import export_encoder, file_of, require_exporter
from vlmkit.edge.packed import write_parts
from vlmkit.edge.sealed import Sealed, seal
from vlmkit.errors import CheckpointError, WiringError
from vlmkit.llms.embedded import CausalLm
from vlmkit.model import Model
from vlmkit.projectors.aligned import Aligned
from vlmkit.types import Sample

if TYPE_CHECKING:
    from vlmkit.head import Head


@dataclass(frozen=True)
class Exported:
    """What was written, and how far it is from what it was made of.

    Attributes:
        sizes: bytes of each file, by name.
        encoders: by file, the largest difference of rows, relative to the largest number in them.
        llm: int8 against the precision that the head had, over the words of the task's own question.
    """

    folder: Path
    sizes: Mapping[str, int]
    encoders: Mapping[str, float]
    llm: Compared

    @property
    def bytes(self) -> int:
        """All files together."""
        return sum(self.sizes.values())


class _Packing(Sealed):
    """Sealed, and saved once: by the export itself."""

    def __init__(self, model: Model[Any], untrained: tuple[str, ...]) -> None:
        super().__init__(untrained)
        self._model = model
        self.differences: dict[str, float] = {}

    def save(self, directory: Path, dtype: torch.dtype | None = None) -> None:
        """Graphs of what answers depend on, and everything behind them."""
        directory.mkdir(parents=True, exist_ok=True)
        for encoder in self._model.encoders:
            if self._model.llm is not None and encoder.modalities & self._model.llm.slots:
                self.differences[file_of(encoder.modalities)] = export_encoder(encoder, directory)
        write_parts(self._model, directory, self.untrained)


def export(head: Head[Any], directory: str | Path) -> Exported:
    """Write a folder that `vlmkit.load` opens: under a gigabyte for a 0.5 B language model. Needs `vlmkit[edge]`.

    An adapter is merged first, a calibration dropped. The head is int8 itself afterwards. What stands only on the side
    of training, such as a text tower beside a language model, is left out.

    Raises `CheckpointError` for a folder in use or a graph that gives other rows, `WiringError` for a head that is not
    composed of encoders, an aligner and a text model on the CPU, `MissingExtraError` without `vlmkit[edge]`.
    """
    folder, model = Path(directory), head.model
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CheckpointError(f"{folder} is not empty; name a new folder")
    llm, backbone, prompt = model.llm, model.backbone, head.task.prompt
    if (
        prompt is None
        or not isinstance(llm, CausalLm)
        or not isinstance(backbone, Composed)
        or not isinstance(model.projector, Aligned)
    ):
        raise WiringError(
            f"a {head.task.name} head of {type(backbone).__name__} has no form for small machines in this version: "
            "wanted one in fp32, composed of encoders, an aligner and a text model"
        )
    require_exporter()
    if model.roles["lora"]:
        head.merge_adapter()
    head.drop_calibration("weights in int8")
    ids = llm.tokenizer(llm.text(prompt(Sample("probe"))), add_special_tokens=False)["input_ids"]
    wanted = logits(llm.hf, ids)
    seal(model)
    packing = _Packing(model, backbone.untrained)
    difference = compared(wanted, logits(llm.hf, ids))
    try:
        model.backbone = packing
        head.save_pretrained(folder)
    finally:
        model.backbone = Sealed(backbone.untrained)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    sizes = {path.relative_to(folder).as_posix(): path.stat().st_size for path in files}
    return Exported(folder, sizes, packing.differences, difference)
