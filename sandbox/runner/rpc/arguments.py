"""Call the program's functions with arguments converted to the types they declare.

Data sets write linked lists and trees as lists, and LeetCode programs use annotations such as `Optional[ListNode]`
without an import. These names are therefore predefined for a program. If the annotation of an argument names a node
class, the argument is converted to nodes. If a function returns nodes and received such an argument, its result is
converted back to a list.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from sandbox.runner.rpc import codec, nodes

NODE_CLASSES: dict[str, Any] = {"ListNode": nodes.ListNode, "TreeNode": nodes.TreeNode}
_TYPING = ("Any", "Callable", "DefaultDict", "Deque", "Dict", "FrozenSet", "Generator", "Iterable", "Iterator", "List")
_MORE_TYPING = ("Mapping", "Optional", "Sequence", "Set", "Tuple", "Type", "TypeVar", "Union")
# What a program's namespace contains before it runs.
PREDEFINED_NAMES: dict[str, Any] = {
    **NODE_CLASSES,
    **{name: getattr(typing, name) for name in (*_TYPING, *_MORE_TYPING)},
}


def find_predefined_names(namespace: Mapping[str, Any]) -> frozenset[str]:
    """Return the names in a program's namespace that still have their predefined value."""
    return frozenset(name for name, value in PREDEFINED_NAMES.items() if namespace.get(name) is value)


def call_for_value(function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]) -> Any:
    """Call a function and encode its return value. If it returns a coroutine, run it to completion."""
    args, kwargs, _ = convert_arguments(function, args, kwargs)
    value = function(*args, **kwargs)
    if isinstance(value, Awaitable | AsyncIterator):
        value = _run_coroutine(value)
    if (value is None or type(value) is list) and nodes.returns_nodes(_unwrap_method(function)):
        if value is None:
            return {"nodes": []}
        return [{"nodes": []} if item is None else codec.encode(item, 1, nodes.NodeListCodec()) for item in value]
    return codec.encode(value, 0, nodes.NodeListCodec())


def call_for_test(function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]) -> Any:
    """Call a function for a test and return its value, with nodes converted back to lists."""
    args, kwargs, has_nodes = convert_arguments(function, args, kwargs)
    value = function(*args, **kwargs)
    if not has_nodes:
        return value
    if type(value) is list:
        return [as_list if (as_list := nodes.read_nodes(item)) is not None else item for item in value]
    as_list = nodes.read_nodes(value)
    return value if as_list is None else as_list


def convert_arguments(
    function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]
) -> tuple[list[Any], dict[str, Any], bool]:
    """Convert the arguments according to the function's annotations.

    Return the positional arguments, the keyword arguments, and whether any of them became nodes.
    """
    inner = _unwrap_method(function)
    annotations = getattr(inner, "__annotations__", None)
    code = getattr(inner, "__code__", None)
    if not annotations or code is None:
        return args, kwargs, False
    scope = getattr(inner, "__globals__", {})
    names = code.co_varnames[1 if hasattr(function, "__self__") else 0 : code.co_argcount]
    built = [
        nodes.convert_argument(annotations.get(name, ""), item, scope) for name, item in zip(names, args, strict=False)
    ]
    by_name = {name: nodes.convert_argument(annotations.get(name, ""), item, scope) for name, item in kwargs.items()}
    before = [*args[: len(built)], *kwargs.values()]
    has_nodes = any(one is not other for one, other in zip(before, [*built, *by_name.values()], strict=True))
    return [*built, *args[len(built) :]], by_name, has_nodes


def _unwrap_method(function: Callable[..., Any]) -> Any:
    return getattr(function, "__func__", function)


def _run_coroutine(value: Any) -> Any:
    """Run a coroutine to completion, or collect the items of an asynchronous generator."""
    import asyncio  # only needed if a program has coroutines

    async def collect() -> Any:
        return [item async for item in value] if isinstance(value, AsyncIterator) else await value

    found = asyncio.run(collect())
    return _run_coroutine(found) if inspect.iscoroutine(found) else found
