"""Real servers on loopback, as long as a test needs them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

_CPU = {
    "VLLM_LOGGING_LEVEL": "WARNING",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_API_KEY": "",
}
# What docs/engines.md advises for the same answers as in this process, and what a CPU with little memory needs.
_FLAGS = (
    "--trust-request-mm-kwargs",
    "--structured-outputs-config", '{"backend":"guidance","disable_any_whitespace":true}',
    "--generation-config", "vllm",
    "--limit-mm-per-prompt", '{"image":1,"video":1}',
    "--dtype", "float32",
    "--enforce-eager",
    "--max-model-len", "1024",
    "--max-num-seqs", "8",
    "--kv-cache-memory-bytes", str(32 << 20),
)  # fmt: skip
_READY_S = 900.0  # half a minute on a machine that has nothing else to do


class Process:
    """A Python program that serves on loopback, and says at `/health` that it does."""

    def __init__(self, command: Sequence[str], port: int, log: Path, environment: Mapping[str, str]) -> None:
        self.port = port
        self.log = log
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                [sys.executable, *command],
                stdout=file,
                stderr=subprocess.STDOUT,
                env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", **environment},
                start_new_session=True,  # it starts processes of its own, which outlive it where it ends early
            )

    def wait(self) -> None:
        """Until it answers. Raises `RuntimeError` with its last words where it ends instead."""
        end = time.monotonic() + _READY_S
        while time.monotonic() < end:
            if self._process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.5)
        words = self.log.read_text(encoding="utf-8", errors="replace")[-3000:]
        self.stop()
        raise RuntimeError(f"the server is not there:\n{words}")

    def stop(self) -> None:
        """End it, and whatever it has started."""
        for sign, wait_s in ((signal.SIGTERM, 20), (signal.SIGKILL, 20)):
            with suppress(ProcessLookupError):  # the group is gone
                os.killpg(self._process.pid, sign)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(wait_s)


class Serve(Process):
    """A vLLM server. `url` ends in `/v1`."""

    def __init__(self, model: Path, log: Path, adapters: Mapping[str, Path] | None = None, *more: str) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}/v1"
        flags: Sequence[str] = [*_FLAGS, *more]
        if adapters:
            named = [f"{name}={path}" for name, path in adapters.items()]
            slots = str(len(adapters) + 1)  # while the last one is taken, rows of the base get its weights
            flags = [*flags, "--enable-lora", "--max-loras", slots, "--max-lora-rank", "16", "--lora-modules", *named]
        # `vllm serve` of vllm-cpu asks for the version of a package called vllm, and fails.
        command = ["-m", "vllm.entrypoints.openai.api_server", "--model", str(model)]
        super().__init__([*command, "--host", "127.0.0.1", "--port", str(port), *flags], port, log, _CPU)


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
