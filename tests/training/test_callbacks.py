"""Early stopping goes on counting where a stopped run was."""

from __future__ import annotations

from typing import Any

import pytest
from transformers import TrainerControl, TrainerState, TrainingArguments

from vlmkit.training.callbacks import Patience


@pytest.mark.parametrize(
    ("losses", "stops"), [((), False), ((3.0, 2.0), False), ((2.0, 3.0), False), ((2.0, 3.0, 3.0), True)]
)
def test_patience_counts_what_the_history_says(tmp_path: Any, losses: tuple[float, ...], stops: bool) -> None:
    args = TrainingArguments(
        output_dir=str(tmp_path),
        eval_strategy="steps",
        save_strategy="steps",
        load_best_model_at_end=True,
        metric_for_best_model="loss",
        greater_is_better=False,
        use_cpu=True,
        report_to=[],
    )
    history = [{"step": step, "eval_loss": loss} for step, loss in enumerate(losses)]
    best = min(losses, default=None)
    state = TrainerState(log_history=history, best_metric=best)
    control, patience = TrainerControl(), Patience(3)
    patience.on_train_begin(args, state, control)
    patience.on_evaluate(args, state, control, {"eval_loss": 9.0})
    assert control.should_training_stop is stops
