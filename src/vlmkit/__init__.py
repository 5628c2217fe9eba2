"""Small multimodal task heads: media in, one typed and checked result out.

Names are resolved on first use (PEP 562), so that importing vlmkit imports neither torch nor transformers.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib import import_module
from types import FunctionType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vlmkit.calibrating import calibrate as calibrate
    from vlmkit.errors import MediaError as MediaError
    from vlmkit.errors import VlmkitError as VlmkitError
    from vlmkit.evaluate import Report as Report
    from vlmkit.head import Head as Head
    from vlmkit.loading import load as load
    from vlmkit.media.stream import Stream as Stream
    from vlmkit.model import Model as Model
    from vlmkit.plugins import tasks as tasks
    from vlmkit.remote import Server as Server
    from vlmkit.task import Task as Task
    from vlmkit.training import train as train
    from vlmkit.types import Clip as Clip
    from vlmkit.types import Image as Image
    from vlmkit.types import Limits as Limits
    from vlmkit.types import Prediction as Prediction
    from vlmkit.types import Problem as Problem
    from vlmkit.types import Sample as Sample
    from vlmkit.types import Sound as Sound

_HOMES = {
    "calibrate": "vlmkit.calibrating",
    "MediaError": "vlmkit.errors",
    "VlmkitError": "vlmkit.errors",
    "Report": "vlmkit.evaluate",
    "Head": "vlmkit.head",
    "load": "vlmkit.loading",
    "Model": "vlmkit.model",
    "tasks": "vlmkit.plugins",
    "Server": "vlmkit.remote",
    "Task": "vlmkit.task",
    "train": "vlmkit.training",
    "Clip": "vlmkit.types",
    "Image": "vlmkit.types",
    "Limits": "vlmkit.types",
    "Prediction": "vlmkit.types",
    "Problem": "vlmkit.types",
    "Sample": "vlmkit.types",
    "Sound": "vlmkit.types",
    "Stream": "vlmkit.media.stream",
}

__all__ = [
    "Clip",
    "Head",
    "Image",
    "Limits",
    "MediaError",
    "Model",
    "Prediction",
    "Problem",
    "Report",
    "Sample",
    "Server",
    "Sound",
    "Stream",
    "Task",
    "VlmkitError",
    "calibrate",
    "load",
    "tasks",
    "train",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("vlmkit")
    if name not in _HOMES:
        raise AttributeError(f"module 'vlmkit' has no attribute {name!r}")
    value = getattr(_naming_extras(import_module)(_HOMES[name]), name)
    if isinstance(value, FunctionType):
        value = _naming_extras(value)
        value.__module__ = __name__  # where the wrapped one is: it is pickled by name
    globals()[name] = value
    return value


def _naming_extras(call: Callable[..., Any]) -> Callable[..., Any]:
    """The same function; a package that is absent and that an extra brings is a `MissingExtraError` instead."""

    @functools.wraps(call)
    def run(*args: Any, **keywords: Any) -> Any:
        try:
            return call(*args, **keywords)
        except ModuleNotFoundError as error:
            from vlmkit.errors import MissingExtraError
            from vlmkit.versions import extra_of

            extra = extra_of(error.name)
            if extra is None:
                raise
            raise MissingExtraError(str(error.name), extra) from error

    return run


def __dir__() -> list[str]:
    return sorted(__all__)
