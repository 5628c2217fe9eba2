from __future__ import annotations

import subprocess
import sys


def test_the_torch_free_half_loads_without_torch() -> None:
    modules = "schema ontology data annotations rows written films splits exports synth metrics merging head plugin"
    code = (
        "import importlib, sys\n"
        f"for name in {modules.split()!r}: importlib.import_module('vlmkit_plugins.football.' + name)\n"
        "heavy = {'torch', 'transformers', 'peft', 'scipy', 'rouge_score', 'pydantic_settings'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
