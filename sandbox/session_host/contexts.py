"""The contexts of a session: namespaces in its interpreter that share its files and modules, but no variables."""

from __future__ import annotations

from typing import Any, NamedTuple

from sandbox.errors import BadRequest, NotFound

MAX_CONTEXTS = 64


class _Context(NamedTuple):
    directory: str
    generation: int = 0  # changes when the context is restarted


class SessionContexts:
    """The contexts that exist. The one with an empty name always does."""

    def __init__(self) -> None:
        self._contexts = {"": _Context("")}

    def copy(self) -> SessionContexts:
        copied = SessionContexts()
        copied._contexts = dict(self._contexts)
        return copied

    def list_all(self) -> list[dict[str, str]]:
        return [{"name": name, "directory": context.directory} for name, context in self._contexts.items()]

    def create(self, name: str, directory: str) -> None:
        """Add a context whose calls start in `directory`. Raises BadRequest."""
        if name in self._contexts:
            raise BadRequest(f"the session already has a context {name!r}", "name")
        if len(self._contexts) >= MAX_CONTEXTS:
            raise BadRequest(f"a session has at most {MAX_CONTEXTS} contexts")
        self._contexts[name] = _Context(directory)

    def restart(self, name: str) -> None:
        """Let the next call of a context start without variables. Raises NotFound."""
        context = self._find(name)
        self._contexts[name] = context._replace(generation=context.generation + 1)

    def remove(self, name: str) -> None:
        """Remove a context. Raises NotFound, or BadRequest for the one with an empty name."""
        self._find(name)
        if not name:
            raise BadRequest("the default context cannot be removed, but it can be restarted", "name")
        del self._contexts[name]

    def build_options(self, name: str) -> dict[str, Any]:
        """Return the fields of a request to the box that runs in a context. A new name creates a context.

        Raises BadRequest if there are too many.
        """
        if name not in self._contexts:
            self.create(name, "")
        context = self._contexts[name]
        kept = [_build_key(each, found) for each, found in self._contexts.items()]
        return {"context": _build_key(name, context), "contexts": kept, "directory": context.directory}

    def _find(self, name: str) -> _Context:
        if (context := self._contexts.get(name)) is None:
            raise NotFound(f"the session has no context {name!r}")
        return context


def _build_key(name: str, context: _Context) -> str:
    """Return the name that the box knows a context by."""
    return f"{name}:{context.generation}" if context.generation else name
