"""Property tests give the same result on every run, and a loaded machine is no fault of the code."""

from __future__ import annotations

from importlib.util import find_spec

if find_spec("hypothesis"):  # not every session has it
    from hypothesis import settings

    settings.register_profile("steady", deadline=None, derandomize=True)
    settings.load_profile("steady")
