"""What happens between the Trainer's steps: when it saves and validates, and the one line that it says."""

from __future__ import annotations

import logging
from typing import Any

from transformers import EarlyStoppingCallback, ProgressCallback, TrainerCallback

log = logging.getLogger("vlmkit")

SAVES = 10  # a stage: what is lost when a run is stopped


class Moments(TrainerCallback):
    """Saves often enough to go on after a stop, and validates at the very end."""

    def __init__(self, steps: int, *, validates: bool) -> None:
        self._steps, self._validates = steps, validates

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Which of the two is due."""
        last = state.global_step >= self._steps
        control.should_save |= last or state.global_step % max(1, self._steps // SAVES) == 0
        control.should_evaluate |= last and self._validates


class Patience(EarlyStoppingCallback):
    """Early stopping that goes on counting where a stopped run was."""

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Count what the history says."""
        super().on_train_begin(args, state, control, **kwargs)
        best, waited = float("inf"), 0
        for loss in (entry["eval_loss"] for entry in state.log_history if "eval_loss" in entry):
            best, waited = (loss, 0) if loss < best else (best, waited + 1)
        self.early_stopping_patience_counter = waited


class Bar(ProgressCallback):
    """The Trainer's bar, with the few figures that somebody follows."""

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """One short line."""
        line = _line(logs)
        if line and state.is_world_process_zero and self.training_bar is not None:
            self.training_bar.write(f"step {state.global_step}: {line}")


class Lines(TrainerCallback):
    """The same where there is no terminal to draw a bar on."""

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """One short line."""
        line = _line(logs)
        if line and state.is_world_process_zero:
            log.info("step %d of %d: %s", state.global_step, state.max_steps, line)


def _line(logs: dict[str, float]) -> str:
    names = ("loss", "eval_loss", "eval_R@1", "eval_accuracy")
    return ", ".join(f"{name.replace('eval_', 'val ')} {logs[name]:.4g}" for name in names if name in logs)
