"""Run untrusted programs in resource-limited boxes and answer with verdicts and rewards.

`from sandbox import Client` loads the client; `import sandbox` alone loads nothing.
"""

__version__ = "0.1.0"

__all__ = ["AsyncClient", "Client", "__version__"]

TYPE_CHECKING = False  # as in `typing`, which a box need not load
if TYPE_CHECKING:
    from sandbox.client import AsyncClient, Client
else:

    def __getattr__(name: str) -> object:
        if name not in ("AsyncClient", "Client"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from sandbox import client

        return getattr(client, name)
