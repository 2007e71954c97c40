"""Every setting of `sandbox.config`."""

from __future__ import annotations

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from sandbox import config
from tests.docs.reference.table import code, paragraph, table

# Defaults that depend on the machine, in words.
IN_WORDS = {"home": "`/var/lib/sandbox` for root, else `$XDG_STATE_HOME/sandbox`"}

INTRODUCTION = """
# Settings

Settings are environment variables, read once when a process starts. `sandbox up` hands its own to every process it
starts; on a second host set them for `sandbox worker`. `DOCKER_HOST` is Docker's own and says which engine is used;
`SANDBOX_URL` is the command line's default for `--url`.
"""


def classes() -> list[type[BaseSettings]]:
    found = [each for each in vars(config).values() if isinstance(each, type) and issubclass(each, BaseSettings)]
    return [each for each in found if each.__module__ == config.__name__ and own_fields(each)]


def own_fields(settings: type[BaseSettings]) -> dict[str, FieldInfo]:
    return {name: field for name, field in settings.model_fields.items() if name in settings.__annotations__}


def variable(name: str) -> str:
    return f"SANDBOX_{name.upper()}"


def default(name: str, field: FieldInfo) -> str:
    if name in IN_WORDS:
        return IN_WORDS[name]
    value = field.get_default(call_default_factory=True, validated_data={})
    return "empty" if value in ("", None, (), []) else code(value)


def bounds(field: FieldInfo) -> str:
    signs = {"Ge": (">=", "ge"), "Gt": (">", "gt"), "Le": ("<=", "le"), "Lt": ("<", "lt")}
    found = []
    for rule in field.metadata:
        if type(rule).__name__ in signs:
            sign, attribute = signs[type(rule).__name__]
            found.append(f"{sign} {getattr(rule, attribute)}")
    choices = getattr(field.annotation, "__args__", ())
    return code(", ".join(found)) or ", ".join(code(choice) for choice in choices if isinstance(choice, str))


def page() -> str:
    parts = [INTRODUCTION]
    for settings in classes():
        rows = [
            (code(variable(name)), default(name, field), bounds(field), field.description or "")
            for name, field in own_fields(settings).items()
        ]
        parts += [
            f"## {settings.__name__}",
            paragraph(settings.__doc__),
            table(("variable", "default", "values", "meaning"), rows),
        ]
    return "\n\n".join(parts)
