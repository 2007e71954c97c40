"""Calls of both packages that must fail, each with a clear error. Prints type and text of the errors as JSON."""

import json
import sys
import threading
from collections.abc import Callable
from typing import Any

from e2b_code_interpreter import Sandbox

found: dict[str, Any] = {}
other_key = sys.argv[1]


def fail(name: str, call: Callable[[], Any]) -> None:
    try:
        found[name] = ["no error", repr(call())]
    except Exception as error:
        found[name] = [type(error).__name__, str(error)]


fail("no_key", lambda: Sandbox.list(api_key=" ").next_items())
fail("wrong_key", lambda: Sandbox.create(api_key="sbx_wrong"))
sandbox = Sandbox.create(timeout=300)
number = sandbox.sandbox_id
fail("not_mine", lambda: Sandbox.connect(number, api_key=other_key))
fail("not_mine_kill", lambda: Sandbox.kill(number, api_key=other_key))
fail("unknown", lambda: Sandbox.connect("unknown"))
fail("template", lambda: Sandbox.create("my-template"))
fail("network", lambda: Sandbox.create(allow_internet_access=True))
fail("volumes", lambda: Sandbox.create(volume_mounts={"/data": "volume"}))
fail("auto_pause", lambda: Sandbox.create(lifecycle={"on_timeout": "pause"}))
fail("timeout", lambda: Sandbox.create(timeout=1_000_000))
fail("pause", sandbox.pause)
fail("snapshot", sandbox.create_snapshot)
fail("metrics", sandbox.get_metrics)
fail("watch", lambda: sandbox.files.watch_dir("/home/user"))
fail("pty", lambda: sandbox.pty.create(size=__import__("e2b").PtySize(rows=20, cols=80)))
fail("root", lambda: sandbox.commands.run("id", user="root"))
fail("language", lambda: sandbox.run_code("ls", language="bash"))
fail("context", lambda: sandbox.remove_code_context("none"))
fail("context_run", lambda: sandbox.run_code("1", context=type("C", (), {"id": "none"})()))
fail("outside", lambda: sandbox.files.read("/etc/passwd"))
fail("above", lambda: sandbox.files.read("../x"))
fail("missing", lambda: sandbox.files.read("none"))
fail("missing_list", lambda: sandbox.files.list("none"))
fail("missing_info", lambda: sandbox.files.get_info("none"))
fail("missing_rename", lambda: sandbox.files.rename("none", "other"))
fail("large", lambda: sandbox.files.write("large", bytes(17 << 20)))
fail("no_directory", lambda: sandbox.commands.run("ls", cwd="/none"))
fail("no_process", lambda: sandbox.commands.connect(999_999))


def end_while(name: str, call: Callable[[Sandbox, Callable[[Any], None]], Any], end: Callable[[Sandbox], Any]) -> None:
    """Run a call, and end its sandbox once it has printed something."""
    ended, started = Sandbox.create(timeout=300), threading.Event()
    thread = threading.Thread(target=fail, args=(name, lambda: call(ended, lambda _: started.set())))
    thread.start()
    started.wait(60)
    end(ended)
    thread.join(60)
    found[f"{name}_ended"] = not thread.is_alive()


def run_command(ended: Sandbox, on_stdout: Callable[[Any], None]) -> Any:
    return ended.commands.run("echo started; sleep 100", timeout=0, on_stdout=on_stdout)


def run_code(ended: Sandbox, on_stdout: Callable[[Any], None]) -> Any:
    return ended.run_code("print(1)\nimport time; time.sleep(100)", timeout=0, on_stdout=on_stdout).error


end_while("killed_command", run_command, lambda ended: ended.kill())
end_while("killed_code", run_code, lambda ended: ended.kill())
end_while("expired", run_command, lambda ended: ended.set_timeout(1))
dying = Sandbox.create(timeout=300)
fail("died", lambda: dying.run_code("import os\nos.kill(os.getpid(), 9)").error)

sandbox.kill()
fail("dead_command", lambda: sandbox.commands.run("ls"))
fail("dead_read", lambda: sandbox.files.read("a"))
fail("dead_write", lambda: sandbox.files.write("a", "a"))
fail("dead_list", lambda: sandbox.files.list("/home/user"))
fail("dead_code", lambda: sandbox.run_code("1"))
fail("dead_context", sandbox.create_code_context)
fail("dead_info", sandbox.get_info)
fail("dead_timeout", lambda: sandbox.set_timeout(60))
print(json.dumps(found))
