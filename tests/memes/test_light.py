from __future__ import annotations

import subprocess
import sys


def test_the_torch_free_half_loads_without_torch() -> None:
    modules = "schema letters wording taxonomy lines rows data hatecheck shards unpacking gates splits ocr plugin"
    heavy = {"torch", "transformers", "sklearn", "scipy", "webdataset", "rapidocr", "imagehash"}
    code = (
        "import importlib, sys\n"
        f"for name in {modules.split()!r}: importlib.import_module('vlmkit_plugins.memes.' + name)\n"
        f"sys.exit(', '.join(sorted({heavy!r} & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
