"""Save → load → the same logits, bit for bit; and everything that has to be refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from tests.llms.lora.adapters import (
    BASE,
    BASES,
    edit_config,
    edit_weights,
    logits_of,
    saved,
    trained,
)
from vlmkit.errors import AdapterError, WiringError
from vlmkit.llms.lora import LoraSpec, adapted, add_lora, load_adapter, role_prefixes, save_adapter

SHA = "0123456789abcdef0123456789abcdef01234567"
FIRST = "base_model.model.model.layers.0.mlp.down_proj.lora_A.weight"


@pytest.mark.parametrize("name", BASES)
def test_saved_and_loaded_gives_the_same_logits(name: str, tmp_path: Path) -> None:
    module, processor = trained(name)
    names = save_adapter(module, tmp_path, base=BASE, revision=SHA, provenance={"data": "手"})
    wanted = logits_of(module, processor)
    again, _ = BASES[name]()
    plain = logits_of(again, processor)
    report = load_adapter(again, tmp_path, base=BASE, revision=SHA)
    assert torch.equal(logits_of(again, processor), wanted)
    assert not torch.allclose(plain, wanted, atol=1e-2), "the test would pass without an adapter"
    assert report.modules == names == tuple(adapted(again))
    assert (report.n_nonzero, report.rank, report.base, report.revision) == (14, 4, BASE, SHA)
    assert not any(parameter.requires_grad for parameter in again.parameters())


# PEFT asks transformers for an attribute that is on its way out.
PEFT_ASKS = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")


@PEFT_ASKS
@pytest.mark.parametrize("name", BASES)
def test_peft_itself_loads_it_and_answers_the_same(name: str, tmp_path: Path) -> None:
    module, processor = trained(name)
    save_adapter(module, tmp_path, base=BASE, revision=None, provenance={})
    wrapped = peft.PeftModel.from_pretrained(BASES[name]()[0], str(tmp_path))
    assert torch.equal(logits_of(wrapped, processor), logits_of(module, processor))


@PEFT_ASKS
def test_what_peft_saves_loads_here(tmp_path: Path) -> None:
    base, processor = BASES["qwen2.5-vl"]()
    torch.manual_seed(0)
    config = peft.LoraConfig(r=4, use_rslora=True, init_lora_weights=False, target_modules=["q_proj", "gate_proj"])
    wrapped = peft.get_peft_model(base, config).eval()
    wrapped.save_pretrained(str(tmp_path))
    module, _ = BASES["qwen2.5-vl"]()
    report = load_adapter(module, tmp_path, base=None)
    assert torch.equal(logits_of(module, processor), logits_of(wrapped, processor))
    assert any(name.startswith("model.visual.") for name in report.modules)


def test_the_directory_records_base_revision_and_provenance(tmp_path: Path) -> None:
    module, _ = trained("qwen2")
    save_adapter(module, tmp_path, base="Qwen/Qwen2.5-0.5B", revision=SHA, provenance={"data": "手"})
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
    ]
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "Qwen/Qwen2.5-0.5B"
    assert config["revision"] == SHA
    assert (config["peft_type"], config["inference_mode"], config["r"]) == ("LORA", True, 4)
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\nbase_model: Qwen/Qwen2.5-0.5B\nlibrary_name: peft\n")
    assert '"data": "手"' in card
    with safe_open(tmp_path / "adapter_model.safetensors", "pt") as file:
        assert FIRST in file.keys()  # noqa: SIM118 - it is no dict
        assert file.metadata() == {"format": "pt"}


def test_saving_twice_and_saving_what_was_loaded_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = saved("qwen3-vl", tmp_path / "a"), saved("qwen3-vl", tmp_path / "b")
    module, _ = BASES["qwen3-vl"]()
    load_adapter(module, first, base=BASE)
    save_adapter(module, tmp_path / "c", base=BASE, revision=None, provenance={"seed": 1})
    for name in ("README.md", "adapter_config.json", "adapter_model.safetensors"):
        whole = (first / name).read_bytes()
        assert whole == (second / name).read_bytes()
        assert whole == (tmp_path / "c" / name).read_bytes()


def test_a_card_does_not_take_a_path_for_a_hub_id(tmp_path: Path) -> None:
    module, _ = trained("qwen2")
    save_adapter(module, tmp_path / "a", base=str(tmp_path), revision=None, provenance={})
    assert (tmp_path / "a" / "README.md").read_text().startswith("---\nlibrary_name: peft\n")


def test_bfloat16_adapters_keep_their_precision(tmp_path: Path) -> None:
    directory = saved("qwen2", tmp_path)
    edit_weights(directory, lambda tensors: {key: value.bfloat16() for key, value in tensors.items()})
    module, _ = BASES["qwen2"]()
    load_adapter(module, directory, base=BASE)
    assert {layer.lora_A["default"].weight.dtype for layer in adapted(module).values()} == {torch.bfloat16}


def test_a_loaded_adapter_learns_on_when_asked(tmp_path: Path) -> None:
    module, _ = BASES["qwen2"]()
    load_adapter(module, saved("qwen2", tmp_path), base=BASE, trainable=True)
    assert sum(parameter.requires_grad for parameter in module.parameters()) == 2 * 14


OLDER = {
    "qwen2.5-vl": [
        ("model.language_model.", "model."),
        ("model.language_model.", "language_model.model."),
        ("base_model.model.", ""),
    ],
    "qwen3-vl": [("model.language_model.", "language_model.model."), ("base_model.model.", "")],
}


@pytest.mark.parametrize(("name", "today", "older"), [(name, *pair) for name, pairs in OLDER.items() for pair in pairs])
def test_older_names_are_understood(name: str, today: str, older: str, tmp_path: Path) -> None:
    module, processor = trained(name)
    save_adapter(module, tmp_path, base=BASE, revision=None, provenance={})
    edit_weights(tmp_path, lambda tensors: {key.replace(today, older, 1): value for key, value in tensors.items()})
    edit_config(tmp_path, target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"])
    edit_config(tmp_path, exclude_modules=r".*visual\..*")
    again, _ = BASES[name]()
    load_adapter(again, tmp_path, base=BASE)
    assert torch.equal(logits_of(again, processor), logits_of(module, processor))


def _without(tensors: dict[str, Tensor], *ends: str) -> dict[str, Tensor]:
    return {key: value for key, value in tensors.items() if not key.endswith(ends)}


def _renamed(tensors: dict[str, Tensor], old: str, new: str) -> dict[str, Tensor]:
    return {key.replace(old, new): value for key, value in tensors.items()}


Edit = Callable[[dict[str, Tensor]], dict[str, Tensor]]
WEIGHTS: dict[str, tuple[Edit, str]] = {
    "missing layer": (
        lambda t: _without(t, "layers.1.mlp.up_proj.lora_A.weight", "layers.1.mlp.up_proj.lora_B.weight"),
        r"1 layers of target_modules have no weights in the file: model\.layers\.1\.mlp\.up_proj",
    ),
    "missing half": (lambda t: _without(t, "layers.0.mlp.up_proj.lora_B.weight"), r"up_proj has only lora_A"),
    "wrong prefix": (lambda t: _renamed(t, "model.layers", "wrong.layers"), r"nearest: model\.layers\.0\.mlp"),
    "one more layer": (lambda t: _renamed(t, "layers.1.mlp", "layers.2.mlp"), r"no layer for 6 weights"),
    "unexpected key": (lambda t: t | {"base_model.model.lm_head.weight": torch.zeros(2)}, r"not lora_A or lora_B"),
    "unexpected layer": (
        lambda t: (
            t
            | {"base_model.model.lm_head.lora_A.weight": torch.ones(4, 64)}
            | {"base_model.model.lm_head.lora_B.weight": torch.ones(276, 4)}
        ),
        r"1 layers have weights and are no target_modules: lm_head",
    ),
    "wrong shape": (
        lambda t: t | {FIRST: torch.ones(4, 100)},
        r"down_proj maps 128 to 64, the file's A and B are \[4, 100\] and \[64, 4\]",
    ),
    "other rank": (
        lambda t: {k: v[:2] if "lora_A" in k else v[:, :2].contiguous() for k, v in t.items()},
        r"14 layers of another rank: .* has rank 2, the configuration says 4",
    ),
    "the same twice": (lambda t: t | {FIRST.removeprefix("base_model.model."): t[FIRST] * 2}, r"not lora_A or lora_B"),
    "not finite": (lambda t: t | {FIRST: t[FIRST] * float("nan")}, r"1 layers hold NaN or infinity"),
    "all zero": (lambda t: {k: v * (0.0 if "lora_B" in k else 1.0) for k, v in t.items()}, r"every lora_B is zero"),
    "no adapter": (lambda _: {"model.layers.0.weight": torch.zeros(2)}, r"no lora_A or lora_B among them"),
}


@pytest.mark.parametrize("case", WEIGHTS)
def test_weights_that_do_not_belong_are_refused_and_nothing_is_touched(case: str, tmp_path: Path) -> None:
    edit, message = WEIGHTS[case]
    directory = saved("qwen2", tmp_path)
    edit_weights(directory, edit)
    module, processor = BASES["qwen2"]()
    before = logits_of(module, processor)
    with pytest.raises(AdapterError, match=message):
        load_adapter(module, directory, base=BASE)
    assert not adapted(module)
    assert torch.equal(logits_of(module, processor), before)
    assert all(parameter.requires_grad for parameter in module.parameters())


CONFIGS: dict[str, tuple[dict[str, Any], str]] = {
    "not LoRA": ({"peft_type": "IA3"}, r"peft_type"),
    "no rank": ({"r": 0}, r"not a LoRA configuration of PEFT: r"),
    "rank is text": ({"r": "many"}, r"not a LoRA configuration of PEFT: r"),
    "no targets": ({"target_modules": None}, r"target_modules"),
    "modules_to_save": ({"modules_to_save": ["lm_head"]}, r"modules_to_save: more than a plain LoRA"),
    "DoRA": ({"use_dora": True}, r"use_dora"),
    "bias": ({"bias": "all"}, r"bias='all'"),
    "PiSSA": ({"init_lora_weights": "pissa_niter_4"}, r"pissa_niter_4', which changes the base weights"),
    "rank pattern elsewhere": ({"rank_pattern": {"layers.9.mlp.up_proj": 2}}, r"layers that are not there"),
    "alpha pattern elsewhere": ({"alpha_pattern": {"layers.9.mlp.up_proj": 2}}, r"layers that are not there"),
    "broken pattern": ({"target_modules": "(q_proj"}, r"no regular expression"),
    "settings that clash": ({"layers_to_transform": [0]}, r"PEFT refuses this combination"),
}


@pytest.mark.parametrize("case", CONFIGS)
def test_configurations_that_would_be_read_wrongly_are_refused(case: str, tmp_path: Path) -> None:
    changes, message = CONFIGS[case]
    directory = saved("qwen2", tmp_path)
    edit_config(directory, **changes)
    module, _ = BASES["qwen2"]()
    with pytest.raises(AdapterError, match=message):
        load_adapter(module, directory, base=BASE)
    assert not adapted(module)


def test_an_untrained_adapter_loads_when_asked(tmp_path: Path) -> None:
    module, _ = BASES["qwen2"]()
    add_lora(module, LoraSpec(r=4), role_prefixes(module))
    save_adapter(module, tmp_path, base=BASE, revision=None, provenance={})
    again, _ = BASES["qwen2"]()
    with pytest.raises(AdapterError, match="allow_untrained=True"):
        load_adapter(again, tmp_path, base=BASE)
    assert load_adapter(again, tmp_path, base=BASE, allow_untrained=True).n_nonzero == 0


@pytest.mark.parametrize(
    ("base", "revision", "message"),
    [
        ("owner/other", None, r"trained on base 'owner/base', given 'owner/other'"),
        ("/models/other", None, r"given '/models/other'"),
        (BASE, SHA.replace("0", "f"), r"at revision '0123.*given revision 'f123"),
        ("/cache/models--owner--other/snapshots/" + SHA, None, r"given 'owner/other'"),
        ("/cache/models--owner--base/snapshots/" + SHA.replace("0", "f"), None, r"given revision 'f123"),
    ],
)
def test_another_base_is_refused(base: str, revision: str | None, message: str, tmp_path: Path) -> None:
    module, _ = trained("qwen2")
    save_adapter(module, tmp_path, base=BASE, revision=SHA, provenance={})
    again, _ = BASES["qwen2"]()
    with pytest.raises(AdapterError, match=message):
        load_adapter(again, tmp_path, base=base, revision=revision)
    assert not adapted(again)


@pytest.mark.parametrize(
    ("base", "revision"),
    [
        (BASE, None),
        ("Owner/Base", SHA),
        (BASE, "main"),  # a branch and a commit cannot be compared
        ("/models/base", None),
        ("/cache/models--owner--base/snapshots/" + SHA, None),
        (None, None),
    ],
)
def test_the_same_base_under_another_name_is_taken(base: str | None, revision: str | None, tmp_path: Path) -> None:
    module, _ = trained("qwen2")
    save_adapter(module, tmp_path, base=BASE, revision=SHA, provenance={})
    again, _ = BASES["qwen2"]()
    assert load_adapter(again, tmp_path, base=base, revision=revision).modules


@pytest.mark.parametrize("name", ["adapter_model.bin", "adapter_model.pt", "weights.pkl", "x.ckpt"])
def test_pickled_weights_are_refused(name: str, tmp_path: Path) -> None:
    directory = saved("qwen2", tmp_path)
    (directory / name).write_bytes((directory / "adapter_model.safetensors").read_bytes())
    module, _ = BASES["qwen2"]()
    with pytest.raises(AdapterError, match=rf"{name}: refused.*safetensors"):
        load_adapter(module, directory, base=BASE)


def test_what_a_trainer_leaves_behind_is_never_opened(tmp_path: Path) -> None:
    directory = saved("qwen2", tmp_path)
    (directory / "training_args.bin").write_bytes(b"no pickle at all")
    assert load_adapter(BASES["qwen2"]()[0], directory, base=BASE).modules


def test_missing_and_broken_files_are_named(tmp_path: Path) -> None:
    module, _ = BASES["qwen2"]()
    with pytest.raises(AdapterError, match="no such directory"):
        load_adapter(module, tmp_path / "nowhere", base=BASE)
    with pytest.raises(AdapterError, match=r"adapter_model\.safetensors: no such file"):
        load_adapter(module, tmp_path, base=BASE)
    directory = saved("qwen2", tmp_path / "a")
    (directory / "adapter_config.json").write_text('{"r": ')
    with pytest.raises(AdapterError, match="not a LoRA configuration"):
        load_adapter(module, directory, base=BASE)
    (directory / "adapter_config.json").unlink()
    with pytest.raises(AdapterError, match="wanted the configuration that PEFT writes"):
        load_adapter(module, directory, base=BASE)
    weights = directory / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-8])
    with pytest.raises(AdapterError, match="not a whole safetensors file"):
        load_adapter(module, directory, base=BASE)


def test_one_adapter_at_a_time_and_none_is_not_saved(tmp_path: Path) -> None:
    directory = saved("qwen2", tmp_path)
    module, _ = BASES["qwen2"]()
    with pytest.raises(WiringError, match="no adapter to save"):
        save_adapter(module, tmp_path / "b", base=BASE, revision=None, provenance={})
    load_adapter(module, directory, base=BASE)
    with pytest.raises(AdapterError, match="an adapter already"):
        load_adapter(module, directory, base=BASE)
