"""The model card of an adapter."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from vlmkit.llms.lora.identity import DIGEST, is_hub_id


def adapter_card(modules: Sequence[str], config: Mapping[str, Any], provenance: Mapping[str, Any]) -> str:
    """Markdown with the front matter that the hub reads."""
    base = config["base_model_name_or_path"]
    kinds = Counter(name.rpartition(".")[2] for name in modules)
    # The hub rejects a card whose base_model is a path.
    front = [f"base_model: {base}"] if is_hub_id(base) else []
    lines = [
        "---",
        *front,
        "library_name: peft",
        "tags: [lora, vlmkit]",
        "---",
        "",
        f"# LoRA adapter for {base}",
        "",
        f"- base: `{base}`, revision `{config['revision'] or 'not recorded'}`",
        f"- class: `{config['auto_mapping']['base_model_class']}`",
        f"- rank {config['r']}, alpha {config['lora_alpha']}, dropout {config['lora_dropout']}",
        f"- {len(modules)} layers: " + ", ".join(f"{kind} ×{count}" for kind, count in sorted(kinds.items())),
        "",
        "Before serving it, see whether the engine finds every layer (headers only, no weights are loaded):",
        "",
        "```",
        f"vlmkit adapter check . --base {'base' if base.startswith(DIGEST) else base}",
        "```",
        "",
        "## Provenance",
        "",
        "```json",
        json.dumps(provenance, indent=2, sort_keys=True, ensure_ascii=False),
        "```",
        "",
    ]
    return "\n".join(lines)
