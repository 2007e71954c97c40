"""Convert Python objects to displays. A display maps media types to text, or to base64 for binary types."""

from __future__ import annotations

import base64
import io
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any

Bundle = dict[str, Any]

# The methods that objects define for rich displays, as in IPython.
_METHODS = {
    "text/html": "_repr_html_",
    "text/markdown": "_repr_markdown_",
    "image/svg+xml": "_repr_svg_",
    "image/png": "_repr_png_",
    "image/jpeg": "_repr_jpeg_",
    "text/latex": "_repr_latex_",
    "application/json": "_repr_json_",
}
_CANARY = "_ipython_canary_method_should_not_exist_"  # an object that has every attribute has this one, too


def describe_object(value: Any) -> Bundle:
    """Return an object's representations by media type. Raises any exception that its `__repr__` raises."""
    bundle: Bundle = {"text/plain": repr(value)}
    for media_type, name in _METHODS.items():
        content = _call_method(value, name)
        if content is not None:
            bundle[media_type] = _encode(content)
    extra = _call_method(value, "_repr_mimebundle_", include=None, exclude=None)
    extra = extra[0] if isinstance(extra, tuple) else extra
    if isinstance(extra, Mapping):
        bundle.update({str(media_type): _encode(content) for media_type, content in extra.items()})
    return bundle


def _call_method(value: Any, name: str, **arguments: Any) -> Any:
    """Call a display method of an object; return None if it does not exist or fails.

    The traceback of a failure is printed.
    """
    if isinstance(value, type):
        return None
    try:
        method = getattr(value, name, None)
        if method is None or not callable(method) or getattr(value, _CANARY, None) is not None:
            return None
        content = method(**arguments)
    except NotImplementedError:
        return None
    except Exception:  # noqa: BLE001 - the object's code may raise anything
        traceback.print_exc()
        return None
    return content[0] if isinstance(content, tuple) and name != "_repr_mimebundle_" else content


def _encode(content: Any) -> Any:
    if isinstance(content, (bytes, bytearray)):
        return base64.b64encode(content).decode()
    return content


def build_display_function(send: Callable[[Bundle], None]) -> Callable[..., None]:
    """Return the `display` function for the program, which sends each object immediately."""

    def display(*objects: Any, raw: bool = False, **_: Any) -> None:
        """Display objects. With `raw`, each object is a map from a media type to its content."""
        for value in objects:
            send({name: _encode(content) for name, content in value.items()} if raw else describe_object(value))

    return display


def display_open_figures(send: Callable[[Bundle], None]) -> None:
    """Display matplotlib's open figures as PNG and close them, if the program uses pyplot."""
    pyplot: Any = sys.modules.get("matplotlib.pyplot")
    if pyplot is None or not hasattr(pyplot, "get_fignums"):
        return
    for number in pyplot.get_fignums():
        figure = pyplot.figure(number)
        content = io.BytesIO()
        figure.savefig(content, format="png", bbox_inches="tight")
        send({"image/png": _encode(content.getvalue()), "text/plain": repr(figure)})
        pyplot.close(figure)
