"""The special methods that a proxy forwards, and the operation for each.

The owner of the object evaluates an operator with Python's own rules: `2 * v` becomes `mul` with the operands in that
order. Reflected methods and NotImplemented therefore need no special handling. Any other special method is looked up by
name on the object's class and called.
"""

from __future__ import annotations

import copy
import math
import operator
from collections.abc import Callable
from typing import Any

ARITHMETIC = ("add", "sub", "mul", "matmul", "truediv", "floordiv", "mod", "divmod", "pow", "lshift", "rshift")
LOGIC = ("and", "or", "xor")
ORDER = ("lt", "le", "gt", "ge")
BUILTIN_BASES = (str, bytes, int, float, complex, list, tuple, dict, set, frozenset)
UNARY = ("neg", "pos", "abs", "invert", "int", "float", "complex", "index", "trunc", "floor", "ceil", "round")
# Special method: the operation, and whether the operands are swapped.
BINARY_METHODS: dict[str, tuple[str, bool]] = {
    **{f"__{name}__": (name, False) for name in (*ARITHMETIC, *LOGIC, *ORDER)},
    **{f"__r{name}__": (name, True) for name in (*ARITHMETIC, *LOGIC)},
    **{f"__i{name}__": (f"i{name}", False) for name in (*ARITHMETIC, *LOGIC) if name != "divmod"},
}
CONVERSION_METHODS = {f"__{name}__": name for name in UNARY}
# Operations with two operands; the object may be on either side.
OPERATORS = frozenset({*(name for name, _ in BINARY_METHODS.values()), "eq", "ne"})
# Called by name on the object's class.
READING_METHODS = (
    *("__len__", "__iter__", "__next__", "__reversed__", "__getitem__", "__bytes__", "__fspath__", "__length_hint__"),
    "__format__",
)
WRITING_METHODS = ("__setitem__", "__delitem__")
CALLING_METHODS = ("__call__", "__enter__", "__get__", "__set__", "__delete__", "__set_name__")
ASYNC_METHODS = ("__await__", "__aiter__", "__anext__", "__aenter__", "__aexit__")
SPECIAL_METHODS = frozenset(
    {*BINARY_METHODS, *CONVERSION_METHODS, *READING_METHODS, *WRITING_METHODS, *CALLING_METHODS, *ASYNC_METHODS}
    | {"__exit__", "__contains__", "__eq__", "__ne__", "__hash__", "__bool__", "__str__", "__repr__"}
)


def _get_operator(name: str) -> Callable[..., Any]:
    if name == "divmod":
        return divmod
    return getattr(operator, f"{name}_" if name in {"and", "or"} else name)  # type: ignore[no-any-return]


def bind_special_method(target: Any, name: str) -> Any:
    """Look up a special method as Python does: on the object's class, bound to the object."""
    kind = type(target)
    for base in kind.__mro__:
        if name in vars(base):
            found = vars(base)[name]
            return found.__get__(target, kind) if hasattr(type(found), "__get__") else found
    raise TypeError(f"{kind.__name__!r} object has no {name}")


def call_special(target: Any, name: str, *args: Any, **kwargs: Any) -> Any:
    """Call a special method."""
    if name not in SPECIAL_METHODS:
        raise TypeError(f"the special method {name} cannot be called from another process")
    return target(*args, **kwargs) if name == "__call__" else bind_special_method(target, name)(*args)


def exit_context(target: Any, error: BaseException | None) -> Any:
    """Leave a `with` block with the exception that ended it."""
    return bind_special_method(target, "__exit__")(None if error is None else type(error), error, None)


async def exit_async_context(target: Any, error: BaseException | None) -> Any:
    return await bind_special_method(target, "__aexit__")(None if error is None else type(error), error, None)


def extract_builtin_value(value: Any) -> Any:
    """Return the builtin value of an instance of a derived class, read through the builtin type's own methods."""
    base: Any = next((base for base in BUILTIN_BASES if isinstance(value, base)), None)
    if base in (list, tuple, set, frozenset):
        return base(base.__iter__(value))
    if base is dict:
        return dict(dict.items(value))
    if base is not None:
        return _SCALAR_READERS[base](value)
    raise TypeError(f"a {type(value).__name__} has no builtin value")


_SCALAR_READERS: dict[type, Callable[[Any], Any]] = {
    str: lambda value: str.__str__(value),
    bytes: lambda value: bytes.__getitem__(value, slice(None)),
    int: lambda value: int.__int__(value),
    float: lambda value: float.__float__(value),
    complex: lambda value: complex(value.real, value.imag),
}


def resume_generator(generator: Any, name: str, *args: Any) -> Any:
    """Resume a generator by calling its method `name`. Unlike other operations, this one may raise StopIteration."""
    if name not in {"send", "throw", "close"}:
        raise TypeError(f"unknown generator method {name!r}")
    return getattr(generator, name)(*args)


OPERATIONS: dict[str, Callable[..., Any]] = {
    **{name: _get_operator(name) for name in (*ARITHMETIC, *LOGIC, *ORDER, "eq", "ne", "neg", "pos", "abs", "invert")},
    **{f"i{name}": getattr(operator, f"i{name}") for name in (*ARITHMETIC, *LOGIC) if name != "divmod"},
    **{function.__name__: function for function in (math.trunc, math.floor, math.ceil, operator.index)},
    **{function.__name__: function for function in (int, float, complex, round, str, repr, bool, hash, dir)},
    **{function.__name__: function for function in (getattr, setattr, delattr, iter, next)},
    **{function.__name__: function for function in (len, operator.getitem, operator.contains)},
    "pow": pow,
    "special": call_special,
    "exit": exit_context,
    "aexit": exit_async_context,
    "anext": lambda iterator: bind_special_method(iterator, "__anext__")(),
    "inherited": lambda kind, name, *args, **kwargs: getattr(kind, name)(*args, **kwargs),
    "plain": extract_builtin_value,
    "resume": resume_generator,
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "vars": vars,
}
