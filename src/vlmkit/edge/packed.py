"""What `vlmkit export` writes below `base/`, and how its parts are opened again.

`edge.json`; one ONNX graph an encoder; `aligner.safetensors` and `projector.safetensors`; `llm/` with the language
model's configuration, its tokenizer and `int8.safetensors`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from vlmkit.composed import LLM
from vlmkit.edge.onnx import OnnxCnn14, OnnxTrunk, file_of
from vlmkit.encoders.panns import PannsConfig
from vlmkit.errors import CheckpointError
from vlmkit.llms.int8 import to_int8
from vlmkit.model import Model
from vlmkit.projectors.aligned import Aligned
from vlmkit.safety import require_safetensors
from vlmkit.types import Modality

ABOUT = "edge.json"
INT8 = "int8.safetensors"


class _About(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1]
    in_dims: dict[Modality, int]
    untrained: tuple[str, ...]


@dataclass(frozen=True)
class Packed:
    """An exported model's folder.

    Attributes:
        in_dims: width of each modality's rows, as the aligner takes them.
        untrained: parts that were random when it was exported.
    """

    folder: Path
    in_dims: dict[Modality, int]
    untrained: tuple[str, ...]

    def trunk(self, data: dict[str, Any]) -> OnnxTrunk:
        """What reads pictures; `data` is the trunk's data configuration."""
        return OnnxTrunk(self.folder / file_of(frozenset({"image", "video"})), data)

    def cnn14(self, config: PannsConfig) -> OnnxCnn14:
        """What listens."""
        return OnnxCnn14(self.folder / file_of(frozenset({"audio"})), config)

    def fill(self, projector: Aligned) -> None:
        """Load aligner and projector, strictly."""
        _fill(projector.aligner, self.folder / "aligner.safetensors")
        _fill(projector.module, self.folder / "projector.safetensors")

    def llm(self) -> tuple[Any, Any]:
        """The int8 language model in eval mode, never larger in memory than it is on disk, and its tokenizer."""
        from accelerate import init_empty_weights
        from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

        folder = self.folder / LLM
        try:
            config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
            # Not AutoTokenizer: beside a Qwen2 config it replaces the saved splitting of words by Qwen2's own.
            tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{folder} is damaged; copy the whole folder again, or export again") from error
        with init_empty_weights():
            hf = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
        to_int8(hf)
        state = _load(folder / INT8)
        _tie(state, hf)
        _fill_from(hf, state, folder / INT8)
        return hf, tokenizer


def is_packed(folder: Path | None) -> bool:
    """Whether `vlmkit export` wrote this `base/` folder."""
    return folder is not None and (folder / ABOUT).is_file()


def open_packed(folder: Path, precision: str = "auto") -> Packed:
    """What an exported folder says. Raises `CheckpointError` where it is damaged or another precision is wanted."""
    if precision not in ("auto", "int8"):
        raise CheckpointError(f"{folder} holds int8 weights, and precision={precision!r} was asked for; leave it out")
    try:
        about = _About.model_validate_json((folder / ABOUT).read_bytes())
    except (OSError, ValidationError):
        raise CheckpointError(f"{folder / ABOUT} is missing or damaged; copy the whole folder again") from None
    return Packed(folder, about.in_dims, about.untrained)


def write_parts(model: Model[Any], folder: Path, untrained: tuple[str, ...]) -> None:
    """Everything but the graphs, of a model whose language model is int8 and whose projector is `Aligned`."""
    projector: Any = model.projector
    llm: Any = model.llm
    save_file(_state(projector.aligner), folder / "aligner.safetensors")
    save_file(_state(projector.module), folder / "projector.safetensors")
    llm.hf.config.save_pretrained(folder / LLM)
    llm.tokenizer.save_pretrained(folder / LLM)
    save_file(_untied(llm.hf), folder / LLM / INT8)
    about = _About(format=1, in_dims=dict(projector.in_dims), untrained=untrained)
    (folder / ABOUT).write_text(about.model_dump_json(indent=1) + "\n", encoding="utf-8")


def _state(module: nn.Module) -> dict[str, Tensor]:
    return {key: value.detach().cpu().contiguous() for key, value in module.state_dict().items()}


def _untied(hf: Any) -> dict[str, Tensor]:
    """The weights, those that the head shares with the embedding once."""
    state = _state(hf)
    return {key: value for key, value in state.items() if key not in _shared(hf)}


def _shared(hf: Any) -> dict[str, str]:
    """Names of what the head shares with the embedding, and where the embedding has it."""
    if not hf.config.tie_word_embeddings:
        return {}
    names = {id(module): name for name, module in hf.named_modules()}
    head, words = names[id(hf.get_output_embeddings())], names[id(hf.get_input_embeddings())]
    return {f"{head}.{part}": f"{words}.{part}" for part in ("weight", "scale")}


def _tie(state: dict[str, Tensor], hf: Any) -> None:
    for name, twin in _shared(hf).items():
        if twin in state:
            state[name] = state[twin]


def _load(file: Path) -> dict[str, Tensor]:
    require_safetensors(file)
    return load_file(file)


def _fill(module: nn.Module, file: Path) -> None:
    _fill_from(module, _load(file), file)


def _fill_from(module: nn.Module, state: dict[str, Tensor], file: Path) -> None:
    own = module.state_dict()
    fits = {name: (value.shape, value.dtype) for name, value in own.items()}
    found = {name: (value.shape, value.dtype) for name, value in state.items()}
    if wrong := sorted({*fits, *found} - {name for name in fits if fits[name] == found.get(name)}):
        raise CheckpointError(f"{file}: {len(wrong)} weights do not fit, the first is {wrong[0]}; export again")
    module.load_state_dict(state, assign=True)
