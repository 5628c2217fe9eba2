"""Reading a PEFT adapter directory: its configuration and its weights' header, nothing more."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vlmkit.errors import AdapterError
from vlmkit.llms.lora.names import PEFT_PREFIX
from vlmkit.safety import TRAINER_LEFTOVERS, TensorInfo, refuse_pickles, require_safetensors

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"

_KEY = re.compile(rf"(?:{re.escape(PEFT_PREFIX)})?(?P<module>.+)\.lora_(?P<part>[AB])\.weight")

# Fields that make an adapter more than A and B beside linear layers; a loader that ignored one would be wrong.
_BEYOND = (
    "alora_invocation_tokens",
    "arrow_config",
    "kasa_config",
    "layer_replication",
    "lora_bias",
    "modules_to_save",
    "monteclora_config",
    "target_parameters",
    "trainable_token_indices",
    "use_bdlora",
    "use_dora",
    "use_qalora",
    "velora_config",
)
_CHANGES_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")


class AdapterConfig(BaseModel):
    """What we read of `adapter_config.json`; the rest of it does not change what a plain LoRA computes."""

    model_config = ConfigDict(extra="allow", frozen=True)

    peft_type: Literal["LORA"]
    r: int = Field(ge=1)
    lora_alpha: float = Field(gt=0)
    lora_dropout: float = Field(default=0.0, ge=0, lt=1)
    target_modules: str | list[str]
    exclude_modules: str | list[str] | None = None
    layers_to_transform: list[int] | int | None = None
    layers_pattern: list[str] | str | None = None
    rank_pattern: dict[str, int] | None = None
    alpha_pattern: dict[str, float] | None = None
    use_rslora: bool = False
    bias: str = "none"
    init_lora_weights: bool | str | None = True
    base_model_name_or_path: str | None = None
    revision: str | None = None

    @property
    def largest_rank(self) -> int:
        """Over all layers."""
        return max([self.r, *(self.rank_pattern or {}).values()])

    @property
    def beyond(self) -> tuple[str, ...]:
        """Settings that go further than a plain LoRA, which is all that vlmkit opens."""
        found = [name for name in _BEYOND if (self.model_extra or {}).get(name)]
        if self.bias != "none":
            found.append(f"bias={self.bias!r}")
        if str(self.init_lora_weights).startswith(_CHANGES_BASE):
            found.append(f"init_lora_weights={self.init_lora_weights!r}, which changes the base weights")
        if self.target_modules == "all-linear":
            found.append("target_modules='all-linear', which does not say what was trained")
        return tuple(found)

    def to_peft(self) -> Any:
        """A `peft.LoraConfig` with these settings alone."""
        from peft import LoraConfig

        alpha: Any = int(self.lora_alpha) if self.lora_alpha.is_integer() else self.lora_alpha
        return LoraConfig(
            r=self.r,
            lora_alpha=alpha,
            lora_dropout=self.lora_dropout,
            target_modules=self.target_modules,
            exclude_modules=self.exclude_modules,
            layers_to_transform=self.layers_to_transform,
            layers_pattern=self.layers_pattern,
            rank_pattern=dict(self.rank_pattern or {}),
            alpha_pattern=dict(self.alpha_pattern or {}),
            use_rslora=self.use_rslora,
            base_model_name_or_path=self.base_model_name_or_path,
            revision=self.revision,
        )


@dataclass(frozen=True)
class AdapterFiles:
    """An adapter as its files describe it.

    Attributes:
        tensors: by module name (PEFT's prefix off) and part, "A" or "B": the key in the file.
        infos: shape and type by key.
        strange: keys that are no A or B of a LoRA.
    """

    directory: Path
    config: AdapterConfig
    tensors: Mapping[str, Mapping[str, str]]
    infos: Mapping[str, TensorInfo]
    strange: tuple[str, ...]

    @property
    def weights(self) -> Path:
        """The safetensors file."""
        return self.directory / WEIGHTS


def read_adapter(directory: Path) -> AdapterFiles:
    """Raises `AdapterError` for what is no adapter directory, has pickled weights, or a broken file."""
    if not directory.is_dir():
        raise AdapterError(f"{directory}: no such directory; wanted one with {CONFIG} and {WEIGHTS}")
    refuse_pickles(directory, ignore=TRAINER_LEFTOVERS, error=AdapterError)
    infos = require_safetensors(directory / WEIGHTS, error=AdapterError)
    config = _config(directory / CONFIG)
    tensors: dict[str, dict[str, str]] = {}
    strange = []
    for key in sorted(infos):
        found = _KEY.fullmatch(key)
        parts = tensors.setdefault(found["module"], {}) if found else {}
        if found is None or found["part"] in parts:  # the same tensor with and without PEFT's prefix
            strange.append(key)
        else:
            parts[found["part"]] = key
    if not tensors:
        raise AdapterError(f"{directory / WEIGHTS}: {len(infos)} tensors and no lora_A or lora_B among them")
    return AdapterFiles(directory, config, tensors, infos, tuple(strange))


def _config(path: Path) -> AdapterConfig:
    try:
        config = AdapterConfig.model_validate_json(path.read_bytes())
        for pattern in (
            config.target_modules,
            config.exclude_modules,
            *(config.rank_pattern or ()),
            *(config.alpha_pattern or ()),
        ):
            re.compile(pattern if isinstance(pattern, str) else "")
        config.to_peft()
    except OSError as error:
        raise AdapterError(f"{path}: {error.strerror}; wanted the configuration that PEFT writes") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise AdapterError(f"{path}: not a LoRA configuration of PEFT: {where}: {first['msg']}") from None
    except re.error:
        raise AdapterError(f"{path}: a pattern in it is no regular expression") from None
    except (TypeError, ValueError):
        raise AdapterError(f"{path}: PEFT refuses this combination of settings") from None
    return config
