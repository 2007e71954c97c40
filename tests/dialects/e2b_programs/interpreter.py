"""Calls of the package `e2b-code-interpreter`. Prints what they return, as one line of JSON."""

import json
from typing import Any

from e2b_code_interpreter import Sandbox, TimeoutException

DISPLAYS = """
class Rich:
    def _repr_html_(self):
        return "<b>rich</b>"
    def _repr_json_(self):
        return {"a": [1]}
display(Rich())
Rich()
"""
FIGURE = """
class Figure:
    def _repr_png_(self):
        return b"PNG of a figure"
Figure()
"""
found: dict[str, Any] = {}
with Sandbox.create(timeout=300) as sandbox:
    execution = sandbox.run_code("x = 20\nprint('out')\nx + 1")
    found["run"] = [execution.text, "".join(execution.logs.stdout), execution.error, execution.execution_count]
    found["kept"] = sandbox.run_code("x").text
    failed = sandbox.run_code("import sys\nprint('e', file=sys.stderr)\n1 / 0")
    found["error"] = [
        failed.error.name,
        failed.error.value,
        "line 3" in failed.error.traceback,
        "".join(failed.logs.stderr),
    ]
    rich = sandbox.run_code(DISPLAYS).results
    found["rich"] = [[each.html, each.json, each.is_main_result, list(each.formats())] for each in rich]
    found["figure"] = sandbox.run_code(FIGURE).results[0].png
    seen: list[Any] = []
    printed: list[Any] = []
    sandbox.run_code(
        "import time\nfor i in range(2):\n    print(i)\n    time.sleep(0.2)\ndisplay(7)\n1 / 0",
        on_stdout=lambda message: printed.append([str(message), message.error, message.timestamp > 1e18]),
        on_result=lambda result: seen.append(result.text),
        on_error=lambda error: seen.append(error.name),
    )
    found["callbacks"] = seen
    found["printed"] = ["".join(text for text, *_ in printed), printed[0][1:]]
    found["variables"] = sandbox.run_code("import os\nos.environ['A'], 'B' in os.environ", envs={"A": "b"}).text
    found["reset"] = sandbox.run_code("'A' in os.environ").text
    try:
        sandbox.run_code("y = 5\nwhile True: pass", timeout=1)
    except TimeoutException:
        found["late"] = True
    found["after"] = sandbox.run_code("y").text
    found["await"] = sandbox.run_code("import asyncio\nawait asyncio.sleep(0, 'awaited')").text

    sandbox.files.make_dir("inner")
    context = sandbox.create_code_context(cwd="/home/user/inner")
    found["context"] = [context.language, context.cwd]
    found["separate"] = sandbox.run_code("'x' in globals()", context=context).text
    sandbox.run_code("z = 1\nopen('made', 'w').write('in context')", context=context)
    found["file"] = sandbox.files.read("inner/made")
    found["contexts"] = [each.id == context.id for each in sandbox.list_code_contexts()]
    sandbox.restart_code_context(context)
    found["restarted"] = sandbox.run_code("'z' in globals()", context=context).text
    sandbox.remove_code_context(context)
    found["removed"] = len(sandbox.list_code_contexts())
    sandbox.files.write("/home/user/data.csv", "1,2")
    found["data"] = sandbox.run_code("open('/home/user/data.csv').read()").text
    found["command"] = sandbox.commands.run("python3 -c 'print(6 * 7)'").stdout
    found["text"] = json.loads(sandbox.run_code("3").to_json())["results"]
print(json.dumps(found))
