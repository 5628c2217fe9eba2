"""One stage on `transformers.Trainer`: its loop, schedule, logging and devices; our data, roles and loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import Trainer, TrainingArguments

from vlmkit.errors import DataError
from vlmkit.model import Model
from vlmkit.protocols import Role
from vlmkit.training.data import Row, Rows, encode, join
from vlmkit.training.objectives import Learner, ProbeLearner, SftLearner
from vlmkit.training.ordinal import OrdinalLoss
from vlmkit.training.stage import Stage


@dataclass(frozen=True)
class StageLog:
    """What one stage did: parameters trained by role, optimiser steps, seconds, and the loss as it fell."""

    name: str
    trained: dict[Role, int]
    steps: int
    seconds: float
    losses: list[tuple[int, float]]

    def to_json(self) -> dict[str, Any]:
        """For `vlmkit.json`."""
        return asdict(self)


def run_stage(
    model: Model[Any], rows: Rows, stage: Stage, folder: Path, *, seed: int, max_steps: int | None
) -> StageLog:
    """Train one stage in place and leave the model in eval mode."""
    trained = model.train_roles(stage.roles)
    data = rows if _sees_gradients(model) else encode(model, rows)
    torch.manual_seed(seed)
    learner = _learner(model, rows, stage)
    if model.backbone is not None:
        model.backbone.checkpoint_activations(stage.checkpointing)
    steps = stage.steps if max_steps is None else min(stage.steps, max_steps)
    trainer = _Trainer(
        model=learner,
        args=_arguments(stage, folder, seed, steps, _device(model)),
        train_dataset=data,
        data_collator=_collate,
    )
    done = trainer.train()
    model.eval()
    losses = [(entry["step"], entry["loss"]) for entry in trainer.state.log_history if "loss" in entry]
    return StageLog(stage.name, trained, done.global_step, done.metrics["train_runtime"], losses)


class _Trainer(Trainer):
    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """AdamW with a learning rate a role; no decay on vectors."""
        learner: Learner = self.model
        stage = learner.stage
        groups: list[dict[str, Any]] = []
        probe = list(learner.probe.parameters()) if isinstance(learner, ProbeLearner) else []
        rated = [(stage.rates[role], list(learner.model.roles[role].values())) for role in stage.roles]
        for rate, parameters in [*rated, (max(stage.rates.values()), probe)]:
            for decay, dims in ((stage.weight_decay, True), (0.0, False)):
                chosen = [p for p in parameters if p.requires_grad and (p.ndim > 1) is dims]
                groups += [{"params": chosen, "lr": rate, "weight_decay": decay}] if chosen else []
        self.optimizer = torch.optim.AdamW(groups)
        return self.optimizer


def _sees_gradients(model: Model[Any]) -> bool:
    """Whether anything before the language model learns, adapters in the encoder included."""
    parts = [*model.modules.get("encoder", ()), *model.modules.get("projector", ())]
    return any(parameter.requires_grad for part in parts for parameter in part.parameters())


def _learner(model: Model[Any], rows: Rows, stage: Stage) -> Learner:
    if stage.objective == "probe":
        return ProbeLearner(model, stage, _labels(rows, stage))
    if stage.sigma is None:
        return SftLearner(model, stage)
    return SftLearner(model, stage, token_loss=OrdinalLoss(model.llm.tokenizer, stage.last_number, stage.sigma))  # type: ignore[union-attr]


def _labels(rows: Rows, stage: Stage) -> list[str]:
    found: set[str] = set()
    moments = (
        (one.sample, time)
        for one in rows.prepared
        for made in one.inputs
        if "times_s" in made
        for time in made["times_s"].tolist()
    )
    for sample, time in moments:
        label = stage.label_at(sample, time) if stage.label_at is not None else None
        found |= {label} if label is not None else set()
    if not found:
        raise DataError(f"stage {stage.name!r}: no sample says what happens at a moment (meta 'timeline')")
    return sorted(found)


def _collate(rows: Sequence[Row]) -> dict[str, Any]:
    kept = [tokens for _, tokens in rows if tokens is not None]
    return {"batch": [one for one, _ in rows], "tokens": join(kept) if kept else None}


def _device(model: Model[Any]) -> str:
    modules = [module for found in model.modules.values() for module in found]
    return next((p.device.type for module in modules for p in module.parameters()), "cpu")


def _arguments(stage: Stage, folder: Path, seed: int, steps: int, device: str) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=stage.batch_size,
        gradient_accumulation_steps=stage.accumulate,
        learning_rate=max(stage.rates.values()),
        lr_scheduler_type="cosine",
        warmup_steps=round(stage.warmup * steps),
        logging_steps=max(1, steps // 20),
        save_strategy="no",
        report_to=[],
        seed=seed,
        remove_unused_columns=False,
        dataloader_pin_memory=False,  # samples are already in memory, and no plain tensors
        use_cpu=device == "cpu",  # or the Trainer would carry off a model that was put on the CPU by choice
        label_names=[],
        max_grad_norm=1.0,
    )
