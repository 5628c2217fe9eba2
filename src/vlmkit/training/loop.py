"""One stage on `transformers.Trainer`: its loop, schedule, saving and devices; our data, roles, loss and validation."""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import (
    PrinterCallback,
    ProgressCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainingArguments,
)

from vlmkit.errors import DataError, VlmkitError
from vlmkit.model import Model
from vlmkit.training import processes
from vlmkit.training.align import AlignLearner, paired
from vlmkit.training.attributes import AttributesLearner, classes
from vlmkit.training.callbacks import SAVES, Bar, Lines, Moments, Patience
from vlmkit.training.classify import ClassifyLearner, labelled
from vlmkit.training.data import Row, Rows, Schedule, encode, learning, needed
from vlmkit.training.features import join
from vlmkit.training.learner import Learner
from vlmkit.training.objectives import ProbeLearner, SftLearner, cut_answers, moments
from vlmkit.training.ordinal import OrdinalLoss
from vlmkit.training.resume import last_checkpoint
from vlmkit.training.stage import Stage
from vlmkit.training.stagelog import StageLog, told
from vlmkit.training.state import fill, trained

log = logging.getLogger("vlmkit")

_LOGS = 20  # a stage

Report = Callable[[int, dict[str, Any]], None]
"""`(step, figures)`; told of every figure as it comes."""


def run_stage(
    model: Model[Any],
    rows: Rows,
    stage: Stage,
    folder: Path,
    *,
    seed: int,
    max_steps: int | None,
    val: Rows | None = None,
    report: Report | None = None,
) -> StageLog:
    """Train one stage in place and leave the model in eval mode; goes on from the newest checkpoint in the folder.

    Args:
        val: what is validated on; required where the stage has `evals`.
        report: told of every figure.

    Raises `DataError` where the data do not hold what the stage learns from.
    """
    if stage.evals and val is None:
        raise DataError(f"stage {stage.name!r} validates {stage.evals} times, and there is nothing to validate on")
    live = needed(model, stage) & learning(model, stage)
    counts = model.train_roles(stage.roles)
    rows = taught(model, rows, stage)
    val = taught(model, val, stage, held=True) if val and stage.evals else None
    data, held = _ready(model, rows, stage, live), _ready(model, val, stage, live) if val else None
    torch.manual_seed(seed)
    learner = _learner(model, data, stage, live)
    cut = cut_answers(learner, data) if stage.objective == "sft" else 0
    if stage.objective == "sft" and held is not None:
        cut_answers(learner, held)  # refused now, and not at the first validation
    if model.backbone is not None:
        model.backbone.checkpoint_activations(stage.checkpointing)
    steps = stage.steps if max_steps is None else min(stage.steps, max_steps)
    batch = _share(stage, len(data))
    order = Schedule(data, steps * stage.accumulate * batch * processes.count(), seed)
    args = _arguments(stage, folder, seed, steps, batch, learner.device.type)
    trainer = _Trainer(learner, args, order, held, report)
    found = processes.by_first(lambda: last_checkpoint(folder))
    done = trainer.train(resume_from_checkpoint=str(found) if found else None)
    model.eval()
    return told(trainer.state, stage, counts, done, cut)


def taught(model: Model[Any], rows: Rows, stage: Stage, *, held: bool = False) -> Rows:
    """The rows that a stage can learn from, or be validated on. Raises `DataError` where they are too few."""
    what = "validation samples" if held else "samples"
    if stage.objective == "align":
        return paired(model, rows, stage, what)
    if stage.objective == "classify":
        return labelled(model, rows, stage, what, least=1 if held else 2)
    return rows


def restore(model: Model[Any], stage: Stage, weights: dict[str, torch.Tensor]) -> None:
    """Take over what an earlier process left of a stage that was over."""
    fill(trained(model, stage), weights, f"stage {stage.name!r}")


class _Trainer(Trainer):
    """The Trainer with a learning rate a role, validation that all processes share, and one short line a figure."""

    def __init__(
        self, learner: Learner, args: TrainingArguments, order: Schedule, val: Rows | None, report: Report | None
    ) -> None:
        stage = learner.stage
        callbacks: list[TrainerCallback] = [Moments(args.max_steps, validates=val is not None)]
        if stage.patience is not None and val is not None:
            callbacks.append(Patience(stage.patience))
        super().__init__(
            model=learner,
            args=args,
            train_dataset=order,
            eval_dataset=val,
            data_collator=_collate,
            callbacks=callbacks,
        )
        self.control: TrainerControl = self.control
        self._order = order
        self._report = report
        for theirs, ours in ((ProgressCallback, Bar), (PrinterCallback, Lines)):
            if any(isinstance(one, theirs) for one in self.callback_handler.callbacks):
                self.remove_callback(theirs)
                self.add_callback(ours)

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """AdamW with a learning rate a role; no decay on vectors."""
        learner: Learner = self.model
        stage = learner.stage
        own = [p for name, p in learner.named_parameters() if not name.startswith("parts.")]
        rated = [(role, stage.rates[role], list(learner.model.roles[role].values())) for role in stage.roles]
        groups: list[dict[str, Any]] = []
        for role, rate, parameters in [*rated, ("readout", max(stage.rates.values()), own)]:
            for decay, dims in ((stage.weight_decay, True), (0.0, False)):
                chosen = [p for p in parameters if p.requires_grad and (p.ndim > 1) is dims]
                groups += [{"params": chosen, "lr": rate, "weight_decay": decay, "role": role}] if chosen else []
        self.optimizer = torch.optim.AdamW(groups)
        return self.optimizer

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """All validation data, shared by the processes; the same figures for any number of them."""
        learner: Learner = self.model
        rows: Rows = self.eval_dataset
        learner.eval()
        mine = rows.items[processes.number() :: processes.count()]
        size = self.args.per_device_eval_batch_size
        evidence: list[Any] = []
        with torch.no_grad():
            for start in range(0, len(mine), size):
                evidence += learner.measure(**_collate(mine[start : start + size]))
        found = learner.summary(processes.collected(evidence))
        metrics = {f"eval_{name}": value for name, value in found.items()}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Real epochs (the order of a whole stage is one epoch to the Trainer), and the learning rate of each role."""
        if not math.isfinite(logs.get("loss", 0.0)):
            stage = self.model.stage
            raise VlmkitError(
                f"stage {stage.name!r}: the loss is no number any more at step {self.state.global_step}; lower the "
                f"learning rates ({', '.join(f'{role} {rate:g}' for role, rate in stage.rates.items())})"
            )
        per_step = self.args.train_batch_size * self.args.gradient_accumulation_steps * processes.count()
        self.state.epoch = self.state.global_step * per_step / self._order.n_samples
        if "learning_rate" in logs and self.optimizer is not None:
            del logs["learning_rate"]
            logs |= {f"learning_rate/{group['role']}": group["lr"] for group in self.optimizer.param_groups}
        super().log(logs, start_time)
        if self._report is not None:
            self._report(self.state.global_step, {name.replace("eval_", "val/", 1): v for name, v in logs.items()})


def _ready(model: Model[Any], rows: Rows, stage: Stage, live: set[int]) -> Rows:
    """Rows of the encoders that this stage does not train, and nothing of those that it does not read."""
    wanted = needed(model, stage)
    known = set(rows[0].kept)
    missing = [i for i in sorted(wanted - live) if not model.encoders[i].modalities <= known]
    made = encode(model, rows, missing) if missing else rows
    read = {modality for i in wanted - live for modality in model.encoders[i].modalities}
    return Rows([Row(row.prepared, {m: f for m, f in row.kept.items() if m in read}) for row in made.items])


def _learner(model: Model[Any], rows: Rows, stage: Stage, live: set[int]) -> Learner:
    if stage.objective == "probe":
        return ProbeLearner(model, stage, live, moments(rows, stage))
    if stage.objective == "attributes":
        return AttributesLearner(model, stage, live, classes(rows, stage))
    if stage.objective == "align":
        return AlignLearner(model, stage, live)
    if stage.objective == "classify":
        return ClassifyLearner(model, stage, live)
    if stage.sigma is None:
        return SftLearner(model, stage, live)
    loss = OrdinalLoss(model.llm.tokenizer, stage.last_number, stage.sigma)  # type: ignore[union-attr]
    return SftLearner(model, stage, live, token_loss=loss)


def _collate(rows: Sequence[Row]) -> dict[str, Any]:
    return {"batch": [row.prepared for row in rows], "kept": join([row.kept for row in rows])}


def _share(stage: Stage, n: int) -> int:
    """Samples that each process sees at once: together they are the stage's batch, whatever their number."""
    world = processes.count()
    if stage.batch_size % world:
        raise VlmkitError(
            f"stage {stage.name!r}: {world} processes cannot share a batch of {stage.batch_size} evenly; start a "
            "number of them that divides it"
        )
    if n < world:
        raise DataError(f"{n} samples for {world} processes; start fewer")
    return min(stage.batch_size, n) // world


def _arguments(stage: Stage, folder: Path, seed: int, steps: int, batch: int, device: str) -> TrainingArguments:
    every = math.ceil(steps / stage.evals) if stage.evals else max(1, steps // SAVES)
    args = TrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=batch,
        per_device_eval_batch_size=batch,
        gradient_accumulation_steps=stage.accumulate,
        learning_rate=max(stage.rates.values()),
        lr_scheduler_type="cosine",
        warmup_steps=round(stage.warmup * steps),
        logging_steps=max(1, steps // _LOGS),
        eval_strategy="steps" if stage.evals else "no",
        eval_steps=every,
        save_strategy="steps",
        save_steps=every,
        save_total_limit=2,  # the best and the last
        load_best_model_at_end=bool(stage.evals),
        metric_for_best_model="loss" if stage.evals else None,
        greater_is_better=False if stage.evals else None,
        train_sampling_strategy="sequential",  # the data come in their order
        disable_tqdm=not (sys.stderr.isatty() or "ipykernel" in sys.modules),
        report_to=[],
        log_level="error",  # its warnings are about files that are ours to look after
        seed=seed,
        remove_unused_columns=False,
        dataloader_pin_memory=False,  # samples are already in memory, and no plain tensors
        use_cpu=device == "cpu",  # or the Trainer would carry off a model that was put on the CPU by choice
        ddp_find_unused_parameters=True,  # a batch without sound leaves the sound's head out
        label_names=[],
        max_grad_norm=1.0,
        logging_nan_inf_filter=False,  # a loss that is no number has to be seen
    )
    if args.n_gpu > 1:
        args._n_gpu = 1  # there is no public way to keep the Trainer from splitting batches over all GPUs it sees
    return args
