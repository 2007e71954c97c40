"""A command and a cell whose session host dies. Prints the errors that end them, as one line of JSON."""

import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from e2b_code_interpreter import Sandbox

found: dict[str, Any] = {}
sandbox = Sandbox.create(timeout=300)


def call(name: str, run: Callable[[], Any]) -> None:
    try:
        found[name] = str(run())
    except Exception as error:
        found[name] = type(error).__name__


def run_code() -> str:
    """Run code that creates a file once it runs. Return the name of the error that ends it."""
    code = "print(1)\nimport time; time.sleep(100)"
    return sandbox.run_code(code, timeout=0, on_stdout=lambda _: Path(sys.argv[1]).touch()).error.name


command = sandbox.commands.run("sleep 100", background=True, timeout=0)
threads = [threading.Thread(target=call, args=each) for each in (("command", command.wait), ("code", run_code))]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
call("later", lambda: sandbox.commands.run("ls"))
found["running"] = sandbox.is_running()
print(json.dumps(found))
