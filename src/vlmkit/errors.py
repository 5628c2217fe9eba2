"""Every error that vlmkit raises on purpose. Each says what was given, what was wanted and what to type."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Literal

MediaReason = Literal[
    "missing",  # no such file
    "unreadable",  # the file exists and cannot be opened (permissions, a directory)
    "empty",  # zero bytes, or no frame in it
    "not_media",  # bytes that are no picture, film or sound we know
    "truncated",  # decoding stopped before the container said it would
    "no_stream",  # a container without the wanted kind of stream
    "corrupt",  # a stream whose frames do not decode
    "too_large",  # more pixels or bytes than the limit allows
    "too_short",  # fewer frames than the model needs
    "out_of_range",  # start_s / end_s outside the file
    "silent",  # a sound without any signal: every value is zero, as from a microphone that is off
    "interrupted",  # a stream that broke off: connection lost, camera gone
]


class VlmkitError(Exception):
    """Base of all errors raised on purpose."""


class MediaError(VlmkitError):
    """A file that cannot be used.

    Args:
        source: the file as the user named it.
        reason: one of a closed list, for programs.
        detail: one sentence, for people. Never the text of a decoder's exception.
    """

    def __init__(self, source: str, reason: MediaReason, detail: str) -> None:
        super().__init__(f"{source}: {reason}: {detail}")
        self.source = source
        self.reason: MediaReason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type[MediaError], tuple[str, MediaReason, str]]:
        # The default would replay the one formatted message, and break in worker processes.
        return type(self), (self.source, self.reason, self.detail)


class WiringError(VlmkitError):
    """Parts that do not fit together: a defect of the caller's code, found when a model is built."""


class BudgetError(WiringError):
    """A token budget that the longest legal reply does not fit."""


class DataError(VlmkitError):
    """A data folder, annotation or truth file that breaks its format."""


class CheckpointError(VlmkitError):
    """A checkpoint directory that is missing, edited, of another task, or unsafe to open."""


class UnsafePickleError(CheckpointError):
    """A pickle that asks for more than tensors and plain values: opening it could run code."""


class AdapterError(CheckpointError):
    """A LoRA adapter that does not belong to this base, or reaches nothing in it."""


class PluginError(VlmkitError):
    """A plugin that failed to import, or registered a name twice."""


class UnknownNameError(VlmkitError, LookupError):
    """A name that is not registered.

    Args:
        kind: what was looked up (`task`, `preset`, `encoder` …).
        name: what was given.
        known: what exists.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        choices = sorted(known)
        near = difflib.get_close_matches(name, choices, n=1)
        hint = f" did you mean {near[0]!r}?" if near else ""
        super().__init__(f"unknown {kind} {name!r};{hint} installed: {', '.join(choices) or 'none'}")
        self.kind = kind
        self.name = name


class MissingExtraError(VlmkitError, ImportError):
    """An optional dependency that is not installed.

    Args:
        package: the import name that failed.
        extra: the extra of vlmkit that brings it.
    """

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package!r} is not installed; type: {to_install(extra)}")
        self.package = package
        self.extra = extra


def to_install(extra: str) -> str:
    """What to type for an extra of vlmkit."""
    apart = ", in an environment of its own" if extra == "vllm" else ""  # it brings a torch of its own
    return f"pip install 'vlmkit[{extra}]'{apart}"
