"""The Python examples of the rewards guide run unchanged against a real service and print what the guide says."""

from __future__ import annotations

import gc
import re
import threading
import time
import warnings
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
import uvicorn

from sandbox.api.app import create_app
from sandbox.config import ApiSettings
from sandbox.service import Service
from tests.redis_server import RedisServer
from tests.sessions.session_hosts import SessionHosts

GUIDE = files("sandbox").joinpath("docs/rewards.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)
URL = "http://127.0.0.1:8080"


@pytest.fixture(scope="module")
def url(live_service: Service, redis_server: RedisServer, home: Path) -> Iterator[str]:
    """A server on a free port, with a session host."""
    folder = home / "rewards-guide"
    folder.mkdir()
    settings = ApiSettings(home=folder, redis_url=redis_server.build_url())
    with SessionHosts(settings) as hosts:
        hosts.start(2)
        yield from _serve(settings, live_service)


def _serve(settings: ApiSettings, service: Service) -> Iterator[str]:
    config = uvicorn.Config(create_app(settings, service), port=0, log_level="warning", lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_an_example_prints_what_it_says(example: str, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    # Examples leave some connections to be closed at the end of the process.
    warnings.simplefilter("ignore", ResourceWarning)
    exec(compile(example.replace(URL, url), "rewards.md", "exec", dont_inherit=True), {"__name__": "example"})
    promised = re.findall(r"\)  # (.*)$", example, re.MULTILINE)
    assert capsys.readouterr().out.splitlines() == [text for text in promised if not text.startswith("in place")]
    gc.collect()


def test_every_adapter_has_an_example() -> None:
    # Some trainers have a page of their own, which tests/trainers/test_pages.py runs.
    pages = files("sandbox").joinpath("docs/how-to").iterdir()
    text = "\n".join([*EXAMPLES, *(page.read_text(encoding="utf-8") for page in pages)])
    for module in files("sandbox").joinpath("trainers").iterdir():
        name = module.name.removesuffix(".py")
        if name.endswith(("_reward", "_rubric", "_environment")):
            assert f"sandbox.trainers.{name} import" in text
