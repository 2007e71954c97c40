"""A training process that has finished its imports: `python -m sandbox.gpu.training.spare_process ORDER MODULE...`.

It imports the modules, waits until the worker writes the file ORDER, and then runs `main` of the module that the order
names, with the order's environment, directory and log.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from pathlib import Path

from sandbox.gpu.job_dir import JobDir

POLL_INTERVAL_S = 0.05


def main(order_path: Path, modules: list[str]) -> None:
    for name in modules:
        importlib.import_module(name)
    while not order_path.exists():
        time.sleep(POLL_INTERVAL_S)
    order = json.loads(order_path.read_bytes())
    order_path.unlink()
    os.environ.update(order["environment"])
    os.chdir(order["directory"])
    with Path(order["log"]).open("ab") as log:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
            os.dup2(log.fileno(), stream.fileno())
    importlib.import_module(order["module"]).main(JobDir(Path(order["directory"])))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
