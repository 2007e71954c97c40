"""The page of all settings of `sandbox.config`."""

from __future__ import annotations

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from sandbox import config
from sandbox.docs.generate.markdown_format import format_code, format_docstring, format_table

# Descriptions of the defaults that depend on the machine.
DEFAULT_DESCRIPTIONS = {"home": "`/var/lib/sandbox` for root, else `$XDG_STATE_HOME/sandbox`"}

INTRODUCTION = """
# Settings

Settings are environment variables that a process reads once when it starts. `sandbox up` passes its settings to every
process that it starts. On other hosts, set them for `sandbox worker`. `DOCKER_HOST` is Docker's own variable and
selects the engine. `SANDBOX_URL` is the default of `--url` on the command line.
"""


def list_settings_classes() -> list[type[BaseSettings]]:
    """Return the classes that have settings of their own, first those of the service.

    A class follows those that it inherits from.
    """
    found = [each for each in vars(config).values() if isinstance(each, type) and issubclass(each, BaseSettings)]
    return sorted(
        filter(list_own_fields, found),
        key=lambda each: (not issubclass(each, config.QueueSettings), len(each.__mro__)),
    )


def list_own_fields(settings: type[BaseSettings]) -> dict[str, FieldInfo]:
    return {name: field for name, field in settings.model_fields.items() if name in settings.__annotations__}


def format_variable(name: str) -> str:
    return f"SANDBOX_{name.upper()}"


def format_default(name: str, field: FieldInfo) -> str:
    if name in DEFAULT_DESCRIPTIONS:
        return DEFAULT_DESCRIPTIONS[name]
    value = field.get_default(call_default_factory=True, validated_data={})
    return "empty" if value in ("", None, (), []) else format_code(value)


def format_bounds(field: FieldInfo) -> str:
    signs = {"Ge": (">=", "ge"), "Gt": (">", "gt"), "Le": ("<=", "le"), "Lt": ("<", "lt")}
    found = []
    for rule in field.metadata:
        if type(rule).__name__ in signs:
            sign, attribute = signs[type(rule).__name__]
            found.append(f"{sign} {getattr(rule, attribute)}")
    choices = getattr(field.annotation, "__args__", ())
    return format_code(", ".join(found)) or ", ".join(
        format_code(choice) for choice in choices if isinstance(choice, str)
    )


def build_page() -> str:
    parts = [INTRODUCTION]
    for settings in list_settings_classes():
        rows = [
            (
                format_code(format_variable(name)),
                format_default(name, field),
                format_bounds(field),
                field.description or "",
            )
            for name, field in list_own_fields(settings).items()
        ]
        parts += [
            f"## {settings.__name__}",
            format_docstring(settings.__doc__),
            format_table(("variable", "default", "values", "meaning"), rows),
        ]
    return "\n\n".join(parts)
