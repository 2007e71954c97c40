"""The page of all methods of `sandbox.client`."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from sandbox.client import AsyncClient, Client, Retries
from sandbox.docs.generate.markdown_format import format_code, format_docstring, format_examples, format_table

INTRODUCTION = """
# Python client

`sandbox` has two classes for clients: `Client`, and `AsyncClient` with the same methods as coroutines. Requests are
models of `sandbox.schema`, mappings of the same shape, or keyword arguments. Results are models.

The client retries requests that the API refuses for now (503, 429) and connections that fail, as configured by
`Retries`. A program that was sent twice this way may run twice. Errors are classes of `sandbox.errors`, selected by the
`type` of the problem in the response.

```python
from sandbox import Client

with Client("http://127.0.0.1:8080") as client:
    result = client.execute(language="bash", code="echo $((6 * 7))")
    print(result.status, result.stdout, end="")
```

```text
ok 42
```

```python
import asyncio

from sandbox import AsyncClient


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


def list_methods(kind: type) -> Iterator[tuple[str, str, str]]:
    """Yield the name, signature and docstring of each public method."""
    for name, function in inspect.getmembers(kind, inspect.isfunction):
        if not name.startswith("_"):
            signature = str(inspect.signature(function)).replace("''", '""').replace("'", "")
            yield name, signature.replace("(self, ", "(").replace("(self)", "()"), inspect.getdoc(function) or ""


def build_page() -> str:
    parts = [INTRODUCTION, "## Client", format_examples(inspect.getdoc(Client) or "")]
    for name, signature, doc in list_methods(Client):
        parts += [f"### {name}", f"```python\n{name}{signature}\n```", format_examples(doc)]
    rows = [(format_code(name + what),) for name, what, _ in list_methods(AsyncClient)]
    parts += ["## AsyncClient", "Its methods do the same as those of `Client`.", format_table(("method",), rows)]
    fields = [
        (format_code(name), format_code(default)) for name, default in inspect.signature(Retries).parameters.items()
    ]
    parts += [
        "## Retries",
        format_docstring(Retries.__doc__),
        format_table(("field", "default"), [(a, _extract_default(b)) for a, b in fields]),
    ]
    return "\n\n".join(parts)


def _extract_default(parameter: str) -> str:
    return format_code(parameter.strip("`").rpartition("= ")[2])
