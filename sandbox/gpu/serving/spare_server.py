"""A model server that has finished its imports: `python -m sandbox.gpu.serving.spare_server ORDER MODULE [IMPORT...]`.

It imports the module and the others, waits until the worker writes the module's arguments into the file ORDER, and then
runs the module as `python -m` would.
"""

from __future__ import annotations

import importlib
import json
import runpy
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

POLL_INTERVAL_S = 0.05


def main(order_path: Path, module: str, more: Sequence[str]) -> None:
    importlib.import_module(module)
    for name in more:
        with suppress(ImportError):  # other versions of vLLM have other modules, and work without them
            importlib.import_module(name)
    while not order_path.exists():
        time.sleep(POLL_INTERVAL_S)
    arguments = json.loads(order_path.read_bytes())
    order_path.unlink()
    sys.modules.pop(module)  # it runs once more, as the main module; its imports are there already
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
