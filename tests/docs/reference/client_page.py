"""Every method of `sandbox.client`."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from sandbox.client import AsyncClient, Client, Retries
from tests.docs.reference.table import code, paragraph, table

INTRODUCTION = """
# Python client

`sandbox.client.Client`, and `AsyncClient` with the same methods, awaited. Requests are the models of `sandbox.schema`
or mappings of the same shape; results are models. What the API refuses for now (503, 429) and connections that fail
are tried again, as `Retries` says; a program that was sent twice that way ran twice. Errors are the classes of
`sandbox.errors`, read from the problem's `type`.

```python
from sandbox.client import Client

with Client("http://127.0.0.1:8080") as client:
    result = client.execute({"language": "bash", "code": "echo $((6 * 7))"})
    print(result.status, result.stdout, end="")
```

```text
ok 42
```

```python
import asyncio

from sandbox.client import AsyncClient


async def main() -> None:
    async with AsyncClient("http://127.0.0.1:8080") as client:
        programs = [{"language": "python", "code": f"print({n} ** 2)"} for n in range(3)]
        results = await client.execute_batch(programs)
        print([result.stdout for result in results])


asyncio.run(main())
```

```text
['0\\n', '1\\n', '4\\n']
```
"""


def methods(kind: type) -> Iterator[tuple[str, str, str]]:
    """Name, signature and words of each public method."""
    for name, function in inspect.getmembers(kind, inspect.isfunction):
        if not name.startswith("_"):
            signature = str(inspect.signature(function)).replace("''", '""').replace("'", "")
            yield name, signature.replace("(self, ", "(").replace("(self)", "()"), inspect.getdoc(function) or ""


def page() -> str:
    words = {name: doc for name, _, doc in methods(Client)}
    parts = [INTRODUCTION, "## Client", _constructor()]
    parts.append(table(("method", "what it does"), [(code(name + what), doc) for name, what, doc in methods(Client)]))
    rows = [(code(name + what), doc or words.get(name, "")) for name, what, doc in methods(AsyncClient)]
    parts += ["## AsyncClient", table(("method", "what it does"), rows)]
    fields = [(code(name), code(default)) for name, default in inspect.signature(Retries).parameters.items()]
    parts += [
        "## Retries",
        paragraph(Retries.__doc__),
        table(("field", "default"), [(a, _after_equals(b)) for a, b in fields]),
    ]
    return "\n\n".join(parts)


def _constructor() -> str:
    rows = [
        (code(name), code(parameter.default if isinstance(parameter.default, (str, int, float)) else ""))
        for name, parameter in inspect.signature(Client).parameters.items()
    ]
    return table(("argument of the constructor", "default"), rows)


def _after_equals(parameter: str) -> str:
    return code(parameter.strip("`").rpartition("= ")[2])
