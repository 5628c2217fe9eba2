"""LoRA adapters: scoped by role, saved as PEFT directories, loaded strictly, checked before they are served."""

from vlmkit.llms.lora.check import AdapterReport, check_adapter
from vlmkit.llms.lora.inject import adapted, add_lora, remove_adapter
from vlmkit.llms.lora.load import LoadReport, load_adapter
from vlmkit.llms.lora.merge import MergeReport, merge_adapter
from vlmkit.llms.lora.save import save_adapter
from vlmkit.llms.lora.spec import DEFAULT_TARGETS, LoraSpec, role_of, role_prefixes

__all__ = [
    "DEFAULT_TARGETS",
    "AdapterReport",
    "LoadReport",
    "LoraSpec",
    "MergeReport",
    "adapted",
    "add_lora",
    "check_adapter",
    "load_adapter",
    "merge_adapter",
    "remove_adapter",
    "role_of",
    "role_prefixes",
    "save_adapter",
]
