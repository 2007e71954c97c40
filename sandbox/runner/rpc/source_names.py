"""Find the names in a test's source, and the modules that they refer to.

A test may use a module that only the program imports, for example `math.isclose(...)` without its own `import math`.
The test then gets the module of its own process. The name in the test's source alone determines which module that is.
All such modules are imported before the program answers any request. A program therefore cannot make the test import a
module, and it cannot replace a module with an object of its own.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import re
import symtable
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import CodeType, MappingProxyType, ModuleType
from typing import NamedTuple

MODULE_ALIASES = {"np": "numpy", "pd": "pandas", "nx": "networkx", "dt": "datetime"}
NUMERIC_PACKAGES = frozenset({"numpy", "pandas", "scipy", "sympy", "networkx"})
# Importing these has side effects, or they are useless to a test.
_MODULES_WITH_EFFECTS = frozenset(
    {"antigravity", "ensurepip", "idlelib", "lib2to3", "pip", "site", "test", "this", "tkinter", "turtle", "turtledemo"}
)
MODULE_NAMES = (sys.stdlib_module_names - _MODULES_WITH_EFFECTS).union(NUMERIC_PACKAGES, MODULE_ALIASES)
BUILTIN_NAMES = frozenset(dir(builtins))
TEST_FILE = "test.py"  # the file name under which the source of an assert test is compiled
COMPILE_ERRORS = (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError)  # raised for an invalid source
_WORD = re.compile(r"\w+")


class SourceNames(NamedTuple):
    """The names in a test's source.

    - `free`: global names that it uses but does not bind, without builtins.
    - `bound`: names that it binds at its top level.
    - `words`: all words in it.
    - `modules`: the allowed modules it names.
    - `as_modules`: the free names among those that it uses as modules, by reading their attributes.
    """

    free: frozenset[str] = frozenset()
    bound: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()
    modules: Mapping[str, ModuleType] = MappingProxyType({})
    as_modules: frozenset[str] = frozenset()


def read_names(source: str, code: CodeType, program_modules: Iterable[str]) -> SourceNames:
    """Find the names in a test's source and import the modules among them.

    `program_modules` are the names under which the test can import the program.
    """
    free, bound = _find_global_names(source)
    used = set(iterate_names(code))
    modules = _find_modules(source, free & MODULE_NAMES)
    as_modules = frozenset(modules)
    if not used.isdisjoint(program_modules):  # `from solution import math`, `solution.math.sqrt(2)`
        modules |= {name: module for name in used & MODULE_NAMES if (module := _import(name)) is not None}
    return SourceNames(free - BUILTIN_NAMES, bound, frozenset(_WORD.findall(source)), modules, as_modules)


def merge_names(first: SourceNames, rest: Sequence[SourceNames]) -> SourceNames:
    """Merge the names of a pytest file and its support files.

    The result has no free names, because such files import everything that they use.
    """
    return SourceNames(
        bound=first.bound,
        words=first.words.union(*(names.words for names in rest)),
        modules={name: module for names in (first, *rest) for name, module in names.modules.items()},
        as_modules=first.as_modules.union(*(names.as_modules for names in rest)),
    )


def iterate_names(code: CodeType) -> Iterator[str]:
    """Yield the names of globals, attributes and imports in a code object and in those nested in it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from iterate_names(constant)


def _find_global_names(source: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return the global names that a source uses but does not bind, and those it binds at its top level."""
    top = symtable.symtable(source, TEST_FILE, "exec")
    bound = {symbol.get_name() for symbol in top.get_symbols() if symbol.is_assigned() or symbol.is_imported()}
    used: set[str] = set()
    scopes = [top]
    while scopes:
        scope = scopes.pop()
        scopes += scope.get_children()
        used.update(symbol.get_name() for symbol in scope.get_symbols() if symbol.is_global())
    return frozenset(used - bound), frozenset(bound)


def _find_modules(source: str, names: frozenset[str]) -> dict[str, ModuleType]:
    """Map each of these names to its module, if that module has every attribute that the source reads."""
    if not names:
        return {}
    attributes: dict[str, set[str]] = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in names:
            attributes.setdefault(node.value.id, set()).add(node.attr)
    found = {}
    for name, wanted in attributes.items():
        module = _import(name)
        if module is not None and all(hasattr(module, attribute) for attribute in wanted):
            found[name] = module
    return found


def _import(name: str) -> ModuleType | None:
    """Import an allowed module by its name or alias; return None if it is not installed."""
    try:
        return importlib.import_module(MODULE_ALIASES.get(name, name))
    except ImportError:
        return None
