"""The asynchronous clients of both packages. Prints what their calls return, as one line of JSON."""

import asyncio
import json
from typing import Any

from e2b_code_interpreter import AsyncSandbox


async def main() -> dict[str, Any]:
    found: dict[str, Any] = {}
    sandbox = await AsyncSandbox.create(timeout=120, metadata={"kind": "async"})
    found["run"] = (await sandbox.run_code("x = 1\nx + 1")).text
    queued = await asyncio.gather(*(sandbox.run_code(f"import time; time.sleep(0.2); x += {n}; {n}") for n in range(3)))
    found["queued"] = [each.text for each in queued]
    found["sum"] = (await sandbox.run_code("x")).text
    names = [f"file{number}" for number in range(5)]
    await asyncio.gather(*(sandbox.files.write(name, name) for name in names))
    found["files"] = await asyncio.gather(*(sandbox.files.read(name) for name in names))
    call = asyncio.create_task(sandbox.run_code("time.sleep(1); 'slept'"))
    results = await asyncio.gather(*(sandbox.commands.run(f"echo {number}") for number in range(3)))
    found["commands"] = [result.stdout for result in results]
    found["slept"] = (await call).text
    handle = await sandbox.commands.run("sleep 60", background=True)
    found["killed"] = await handle.kill()
    context = await sandbox.create_code_context()
    found["context"] = (await sandbox.run_code("'x' in globals()", context=context)).text
    found["listed"] = sandbox.sandbox_id in [each.sandbox_id for each in await AsyncSandbox.list().next_items()]
    found["exists"] = await sandbox.files.exists("file0")
    found["kill"] = await sandbox.kill()
    return found


print(json.dumps(asyncio.run(main())))
