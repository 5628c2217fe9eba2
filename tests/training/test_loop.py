"""Stages on small models: what learns and what does not, which weights are kept, what a save holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from tests.training import toy
from vlmkit.errors import CheckpointError, DataError, VlmkitError, WiringError
from vlmkit.model import Model
from vlmkit.training import loop, processes
from vlmkit.training.attributes import classes
from vlmkit.training.data import Rows, Schedule, prepare
from vlmkit.training.loop import run_stage
from vlmkit.training.objectives import SftLearner
from vlmkit.training.stage import Stage
from vlmkit.training.stagelog import StageLog
from vlmkit.training.state import fill, trained

SAY = replace(toy.SAY, roles=("projector", "llm"), rates={"projector": 3e-3, "llm": 3e-3})

BY_HEART = replace(SAY, rates={"projector": 2e-2, "llm": 2e-2}, steps=30, evals=5)


def _run(model: Model[Any], stage: Stage, folder: Path, n: int = 16, held: int = 8, **options: Any) -> StageLog:
    rows, _ = prepare(model, toy.samples(n + held), [stage])
    val = Rows(rows.items[n:]) if stage.evals else None
    return run_stage(model, Rows(rows.items[:n]), stage, folder, seed=0, max_steps=None, val=val, **options)


def _weights(model: Model[Any]) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for role, modules in model.modules.items():
        for index, module in enumerate(modules):
            found |= {f"{role}.{index}.{name}": value.clone() for name, value in module.state_dict().items()}
    return found


def _changed(before: dict[str, Tensor], model: Model[Any]) -> set[str]:
    return {name.split(".")[0] for name, value in _weights(model).items() if not before[name].equal(value)}


def test_frozen_parts_do_not_move_and_neither_do_their_statistics(tmp_path: Path) -> None:
    model = toy.model()
    before = _weights(model)
    log = _run(model, SAY, tmp_path)
    assert _changed(before, model) == {"projector", "llm"}
    assert log.losses[-1][1] < 0.7 * log.losses[0][1]
    assert set(log.trained) == {"projector", "llm"}


def test_statistics_move_where_the_encoder_learns(tmp_path: Path) -> None:
    model = toy.model()
    before = _weights(model)
    _run(model, toy.SEE, tmp_path)
    assert _changed(before, model) == {"encoder"}
    after = _weights(model)
    assert not before["encoder.0.1.running_mean"].equal(after["encoder.0.1.running_mean"])


def test_attributes_are_learned_from_each_modality(tmp_path: Path) -> None:
    log = _run(toy.model(), replace(toy.SEE, steps=60, evals=2), tmp_path, n=60, held=30)
    assert log.figures["accuracy/image.colour"] > 0.8
    assert log.figures["accuracy/audio.colour"] > 0.8
    assert "accuracy/audio.never.told" not in log.figures  # one class has nothing to tell apart
    assert log.losses[-1][1] < 0.5 * log.losses[0][1]


def test_attributes_without_two_classes_are_refused() -> None:
    stage = replace(toy.SEE, labels=lambda sample: {"image": {"colour": "red"}})
    rows, _ = prepare(toy.model(), toy.samples(4), [stage])
    with pytest.raises(DataError, match="no labelled field has two different classes"):
        classes(rows, stage)


def test_encoders_that_learn_run_at_every_step_and_others_once(tmp_path: Path) -> None:
    model = toy.model()
    rows, _ = prepare(model, toy.samples(16), [toy.SEE, SAY])
    reader: Any = model.encoders[0]
    once = reader.decoded
    run_stage(model, rows, toy.SEE, tmp_path / "see", seed=0, max_steps=None)
    many = reader.encoded
    run_stage(model, rows, replace(SAY, evals=0), tmp_path / "say", seed=0, max_steps=None)
    assert reader.decoded == once  # decoded before the first stage, and never again
    assert many > 12  # every step of the first
    assert reader.encoded - many == once  # once for the second


def test_the_weights_with_the_lowest_validation_loss_are_kept(tmp_path: Path) -> None:
    # Four samples are learned by heart: the loss on others falls, and then rises.
    model = toy.model()
    log = _run(model, BY_HEART, tmp_path, n=4)
    losses = {entry["step"]: entry["loss"] for entry in log.validation}
    assert list(losses) == [6, 12, 18, 24, 30]
    best = min(losses, key=lambda step: losses[step])
    assert best != 30, "this test needs a run that gets worse"
    assert log.kept_step == best
    rows, _ = prepare(model, toy.samples(12), [BY_HEART])
    learner = SftLearner(model, BY_HEART, ())
    learner.train(False)
    with torch.no_grad():
        evidence = [one for row in rows.items[4:] for one in learner.measure([row.prepared], row.kept)]
    measured = learner.summary(evidence)
    assert measured["loss"] == pytest.approx(losses[best], rel=1e-4)


def test_a_stage_stops_early(tmp_path: Path) -> None:
    log = _run(toy.model(), replace(BY_HEART, evals=10, patience=2), tmp_path, n=4)
    assert log.steps < 30
    losses = [entry["loss"] for entry in log.validation]
    assert min(losses) == losses[-3]
    assert log.kept_step == log.validation[-3]["step"]


def test_the_last_step_is_validated_whatever_the_spacing(tmp_path: Path) -> None:
    log = _run(toy.model(), replace(SAY, steps=7, evals=3), tmp_path)
    assert [entry["step"] for entry in log.validation] == [3, 6, 7]


def test_a_save_holds_what_learns_and_nothing_else(tmp_path: Path) -> None:
    model = toy.model()
    assert model.backbone is not None
    model.backbone.add_lora(**toy.LORA)
    _run(model, replace(toy.SAY, evals=0, steps=4), tmp_path)
    (saved,) = tmp_path.glob("checkpoint-4/model.safetensors")
    names = set(load_file(saved))
    assert names == {*model.roles["projector"], *model.roles["lora"]}
    _run(toy.model(), replace(toy.SEE, steps=2), tmp_path / "see")
    names = set(load_file(tmp_path / "see" / "checkpoint-2" / "model.safetensors"))
    assert {"encoder.0.0.weight", "encoder.0.1.running_mean", "readouts.0.weight"} <= names
    assert not any(name.startswith(("llm", "projector", "parts")) for name in names)


def test_a_save_of_another_shape_is_refused() -> None:
    model, other = toy.model(), toy.model()
    state = {name: value.clone() for name, value in trained(other, SAY).items()}
    state["projector.0.time.weight"] = torch.zeros(1, 1)
    with pytest.raises(CheckpointError, match=r"1 saved weights do not fit the model, the first is projector\.0\.time"):
        fill(trained(model, SAY), state, "stage 'say'")
    del state["projector.0.time.weight"]
    with pytest.raises(CheckpointError, match="do not fit"):
        SftLearner(model, SAY, ()).load_state_dict(state, strict=False)


def test_a_stage_that_validates_wants_something_to_validate_on(tmp_path: Path) -> None:
    rows, _ = prepare(toy.model(), toy.samples(4), [SAY])
    with pytest.raises(DataError, match="stage 'say' validates 2 times, and there is nothing to validate on"):
        run_stage(toy.model(), rows, SAY, tmp_path, seed=0, max_steps=None)


def test_every_epoch_has_every_sample_in_an_order_of_its_own() -> None:
    rows, _ = prepare(toy.model(), toy.samples(5), [SAY])

    def names(seed: int) -> list[str]:
        order = Schedule(rows, 15, seed)
        return [order[index].prepared.sample.id for index in range(len(order))]

    drawn = names(3)
    epochs = [drawn[start : start + 5] for start in (0, 5, 10)]
    assert [sorted(epoch) for epoch in epochs] == [sorted(names(0)[:5])] * 3
    assert len({tuple(epoch) for epoch in epochs}) == 3
    assert drawn == names(3) != names(4)


def test_a_batch_that_processes_cannot_share_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "count", lambda: 3)
    with pytest.raises(VlmkitError, match="3 processes cannot share a batch of 4 evenly"):
        loop._share(SAY, 100)
    with pytest.raises(DataError, match="2 samples for 3 processes"):
        loop._share(replace(SAY, batch_size=6), 2)
    assert loop._share(replace(SAY, batch_size=6), 5) == 1


def test_rates_of_all_roles_and_real_epochs_are_reported(tmp_path: Path) -> None:
    told: list[tuple[int, dict[str, Any]]] = []
    stage = replace(SAY, rates={"projector": 1e-3, "llm": 1e-4}, steps=8, warmup=0.0)
    _run(toy.model(), stage, tmp_path, n=16, report=lambda step, figures: told.append((step, figures)))
    steps = {step: figures for step, figures in told if "loss" in figures}
    assert steps[4]["learning_rate/projector"] == pytest.approx(10 * steps[4]["learning_rate/llm"])
    assert steps[4]["epoch"] == 1.0
    assert any("val/loss" in figures for _, figures in told)


def test_answers_that_are_cut_are_counted_and_prompts_that_do_not_fit_are_named(tmp_path: Path) -> None:
    model = toy.model()
    rows, _ = prepare(model, toy.samples(6), [SAY])
    learner = SftLearner(model, SAY, ())
    sizes = []
    for row in rows.items:
        tokens = model.project(learner.rows([row.prepared], row.kept))
        sizes += model.llm.lengths(*model.targets([row.prepared], tokens))  # type: ignore[union-attr]
    longest = max(prompt for prompt, _ in sizes)
    budget = longest + 4
    cut = sum(prompt + answer > budget for prompt, answer in sizes)
    assert cut
    log = run_stage(
        model, rows, replace(SAY, evals=0, steps=1, max_tokens=budget), tmp_path / "a", seed=0, max_steps=None
    )
    assert log.cut == cut
    name = next(row.prepared.sample.id for row, (prompt, _) in zip(rows.items, sizes, strict=True) if prompt == longest)
    with pytest.raises(
        DataError, match=f"sample '{name}': its prompt takes {longest} tokens and the budget is {longest}"
    ):
        tight = replace(SAY, evals=0, steps=1, max_tokens=longest)
        run_stage(model, rows, tight, tmp_path / "b", seed=0, max_steps=None)


def test_a_loss_that_is_no_number_stops_the_stage(tmp_path: Path) -> None:
    model = toy.model()
    with torch.no_grad():
        model.roles["projector"]["projector.0.kind.weight"].fill_(torch.nan)
    with pytest.raises(VlmkitError, match=r"no number any more at step 1; lower the learning rates \(projector 0.003"):
        _run(model, replace(SAY, evals=0), tmp_path)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"roles": ("projector", "aligner")}, "no learning rate for aligner"),
        ({"steps": 0}, "at least 1"),
        ({"batch_size": 0}, "at least 1"),
        ({"evals": 0, "patience": 2}, "patience counts validations"),
        ({"patience": 0}, "patience counts validations"),
    ],
)
def test_a_stage_that_makes_no_sense_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(WiringError, match=f"stage 'say': .*{said}"):
        replace(toy.SAY, **wrong)


def test_a_language_model_that_cannot_cut_answers_is_not_asked_to() -> None:
    model = toy.model()
    model.llm = SimpleNamespace(module=torch.nn.Identity())
    with pytest.raises(WiringError, match="cannot cut answers"):
        SftLearner(model, replace(SAY, max_tokens=100), ())
