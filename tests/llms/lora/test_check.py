"""`check_adapter` finds, from headers alone, every adapter that an engine would load and silently not use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.llms.lora.adapters import BASES, edit_config, edit_weights, saved
from vlmkit.errors import AdapterError
from vlmkit.llms.lora import LoraSpec, check_adapter
from vlmkit.llms.lora.names import nearest, vllm_name

ENCODER = LoraSpec(role="encoder", r=4, targets=("attn.qkv",))


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Directories with a configuration and no weights: more must not be needed."""
    found = {}
    for name, make in BASES.items():
        found[name] = tmp_path_factory.mktemp("bases") / "base"
        config = make()[0].config
        config.architectures = [type(make()[0]).__name__]
        config.save_pretrained(found[name])
    return found


def _rename(directory: Path, old: str, new: str) -> None:
    edit_weights(directory, lambda tensors: {key.replace(old, new, 1): value for key, value in tensors.items()})


@pytest.mark.parametrize("name", BASES)
def test_our_own_adapters_fit_everywhere(name: str, bases: dict[str, Path], tmp_path: Path) -> None:
    report = check_adapter(saved(name, tmp_path), bases[name])
    assert report.ok, str(report)
    assert len(report.matched) == 28
    assert report.roles == {"llm": 14}
    assert report.problems == {"local": (), "vllm": ()}
    assert report.notes == ()
    assert "fits" in str(report)
    assert "28 of 28 reach a layer" in str(report)


def test_a_wrong_prefix_is_what_vllm_would_swallow(bases: dict[str, Path], tmp_path: Path) -> None:
    directory = saved("qwen2.5-vl", tmp_path)
    _rename(directory, "model.language_model", "wrong")
    report = check_adapter(directory, str(bases["qwen2.5-vl"]))
    assert not report.ok
    assert len(report.unmatched) == 28
    key = "base_model.model.wrong.layers.0.mlp.down_proj.lora_A.weight"
    assert report.unmatched[key] == "model.language_model.layers.0.mlp.down_proj"
    assert "silently leave them out" in report.problems["vllm"][0]
    text = str(report)
    assert "DOES NOT FIT" in text
    assert f"unmatched: {key}\n    nearest: model.language_model.layers.0.mlp.down_proj" in text
    assert "unmatched: 20 more" in text


def test_one_lost_layer_of_fourteen_is_enough_to_fail(bases: dict[str, Path], tmp_path: Path) -> None:
    directory = saved("qwen2.5-vl", tmp_path)
    _rename(directory, "layers.1.self_attn.q_proj", "layers.7.self_attn.q_proj")
    report = check_adapter(directory, bases["qwen2.5-vl"])
    assert not report.ok
    assert (len(report.matched), len(report.unmatched)) == (26, 2)


# Measured with vLLM on a CPU: all four ways to write it equal PEFT for Qwen2.5-VL.
@pytest.mark.parametrize("prefix", ["model.language_model.", "model.", "language_model.model."])
@pytest.mark.parametrize("outer", ["base_model.model.", ""])
def test_prefixes_that_vllm_understands(outer: str, prefix: str, bases: dict[str, Path], tmp_path: Path) -> None:
    directory = saved("qwen2.5-vl", tmp_path)
    _rename(directory, "base_model.model.model.language_model.", outer + prefix)
    edit_config(directory, target_modules=r".*layers\..*_proj", exclude_modules=r".*visual.*")
    report = check_adapter(directory, bases["qwen2.5-vl"])
    assert report.ok, str(report)


def test_a_text_model_s_names_are_lost_in_qwen3_vl(bases: dict[str, Path], tmp_path: Path) -> None:
    directory = saved("qwen3-vl", tmp_path)
    _rename(directory, "model.language_model.", "model.")
    report = check_adapter(directory, bases["qwen3-vl"])
    assert not report.ok
    assert "'model.layers.0.mlp.down_proj', there 'model.layers.0.mlp.down_proj'" in report.problems["vllm"][0]
    assert report.problems["local"]


def test_an_adapter_of_another_size_does_not_fit(bases: dict[str, Path], tmp_path: Path) -> None:
    directory = saved("qwen2.5-vl", tmp_path)

    def wider(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        return {k: torch.ones(v.shape[0], v.shape[1] + 1) if "lora_A" in k else v for k, v in tensors.items()}

    edit_weights(directory, wider)
    report = check_adapter(directory, bases["qwen2.5-vl"])
    assert not report.ok
    assert "14 layers of another shape" in report.problems["local"][0]
    assert not check_adapter(directory, bases["qwen2.5-vl"], engines=["vllm"]).ok
    assert not check_adapter(saved("qwen2.5-vl", tmp_path / "b"), bases["qwen2"]).ok


def test_vision_layers_and_a_high_rank_need_a_flag(bases: dict[str, Path], tmp_path: Path) -> None:
    report = check_adapter(saved("qwen3-vl", tmp_path / "a", ENCODER), bases["qwen3-vl"])
    assert report.ok
    assert report.roles == {"encoder": 3}
    assert "enable_tower_connector_lora=True, or silently leaves out 3 vision layers" in report.notes[0]
    report = check_adapter(saved("qwen2", tmp_path / "b", LoraSpec(r=32)), bases["qwen2"])
    assert report.ok
    assert "max_lora_rank of at least 32" in report.notes[0]
    assert check_adapter(tmp_path / "b", bases["qwen2"], engines=["local"]).notes == ()
    assert "note: vllm: needs max_lora_rank" in str(report)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"use_dora": True}, "use_dora"),
    ],
)
def test_what_vllm_refuses_is_a_problem(
    changes: dict[str, Any], message: str, bases: dict[str, Path], tmp_path: Path
) -> None:
    directory = saved("qwen2", tmp_path)
    edit_config(directory, **changes)
    report = check_adapter(directory, bases["qwen2"])
    assert not report.ok
    assert message in report.problems["vllm"][0]


@pytest.mark.parametrize(("name", "ok"), [("qwen2", False), ("qwen2.5-vl", False), ("qwen3-vl", True)])
def test_an_adapter_on_the_head_depends_on_the_class(
    name: str, ok: bool, bases: dict[str, Path], tmp_path: Path
) -> None:
    directory = saved(name, tmp_path)
    edit_weights(directory, _with_head)
    edit_config(directory, target_modules=r"lm_head|.*layers\..*_proj", exclude_modules=r".*visual.*")
    report = check_adapter(directory, bases[name])
    assert report.roles == {"llm": 15}
    assert report.problems["local"] == ()
    assert report.ok == ok
    assert ok or "refuses an adapter on lm_head" in report.problems["vllm"][0]


def _with_head(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    head = "base_model.model.lm_head.lora_"
    return tensors | {f"{head}A.weight": torch.ones(4, 64), f"{head}B.weight": torch.ones(276, 4)}


def test_rank_patterns_are_served_and_the_largest_counts(bases: dict[str, Path], tmp_path: Path) -> None:
    directory = saved("qwen2", tmp_path)
    layer = "base_model.model.model.layers.0.mlp.up_proj.lora_"
    larger = {f"{layer}A.weight": torch.ones(24, 64), f"{layer}B.weight": torch.ones(128, 24)}
    edit_weights(directory, lambda tensors: tensors | larger)
    edit_config(directory, rank_pattern={"layers.0.mlp.up_proj": 24})
    report = check_adapter(directory, bases["qwen2"])
    assert report.ok, str(report)
    assert report.rank == 24
    assert "max_lora_rank of at least 24" in report.notes[0]


def test_another_base_is_noted_and_an_unknown_engine_layout_is_said(bases: dict[str, Path], tmp_path: Path) -> None:
    directory = saved("qwen2", tmp_path)
    edit_config(directory, base_model_name_or_path="owner/other")
    assert "trained on base 'owner/other'" in check_adapter(directory, bases["qwen2"]).notes[0]
    edit_config(directory, base_model_name_or_path=None)
    assert "does not say which base" in check_adapter(directory, bases["qwen2"]).notes[0]
    config = (bases["qwen2"] / "config.json").read_text()
    other = tmp_path / "base"
    other.mkdir()
    (other / "config.json").write_text(config.replace("Qwen2ForCausalLM", "Qwen2ForTokenClassification"))
    report = check_adapter(directory, other)
    assert "not recorded here" in report.notes[-1]
    assert set(report.problems) == {"local"}


def test_a_base_that_is_not_there_says_what_to_type(
    bases: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    directory = saved("qwen2", tmp_path / "a")
    with pytest.raises(AdapterError, match=r"hf download owner/base config\.json"):
        check_adapter(directory, "owner/base")
    with pytest.raises(AdapterError, match="neither a directory"):
        check_adapter(directory, "not/an/id/at all")
    with pytest.raises(AdapterError, match=r"no config\.json in it"):
        check_adapter(directory, tmp_path)
    del bases


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"architectures": ["pipeline"], "model_type": "qwen2"}', "names no class"),
        ('{"model_type": "qwen2"}', "names no class"),
        ('{"architectures": ["Qwen2ForCausalLM"]}', "describes no model"),
        ('{"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_size": "x"}', "describes no model"),
        ('{"model_type": "strange", "auto_map": {"AutoConfig": "code.Config"}}', "without running foreign code"),
        ("{", "describes no model"),
    ],
)
def test_a_base_that_is_no_model_is_refused(text: str, message: str, tmp_path: Path) -> None:
    directory = saved("qwen2", tmp_path / "a")
    (tmp_path / "code.py").write_text("raise SystemExit('foreign code ran')")
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(AdapterError, match=message):
        check_adapter(directory, tmp_path)


def test_a_hub_id_is_looked_up_in_the_local_cache(
    bases: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha = "0" * 40
    repo = tmp_path / "cache" / "models--owner--base"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text(sha)
    snapshot = repo / "snapshots" / sha
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_bytes((bases["qwen3-vl"] / "config.json").read_bytes())
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    report = check_adapter(saved("qwen3-vl", tmp_path / "a"), "owner/base")
    assert report.ok
    assert report.notes == ()


def test_names_in_vllm() -> None:
    older, newer = "Qwen2_5_VLForConditionalGeneration", "Qwen3VLForConditionalGeneration"
    assert vllm_name("model.language_model.layers.0.q", older) == "language_model.model.layers.0.q"
    assert vllm_name("model.layers.0.q", older) == "language_model.model.layers.0.q"
    assert vllm_name("model.layers.0.q", newer) == "model.layers.0.q"
    assert vllm_name("model.visual.blocks.0", newer) == vllm_name("model.visual.blocks.0", older) == "visual.blocks.0"
    assert vllm_name("lm_head", newer) == "language_model.lm_head"


def test_the_nearest_name_shares_the_longest_end() -> None:
    known = {"a.layers.0.q": 1, "a.layers.1.q": 1, "a.layers.1.k": 1}
    assert nearest("b.layers.1.q", known) == "a.layers.1.q"
    assert nearest("b.layers.1.z", known) is None
