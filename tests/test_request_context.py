"""Ids are unique across threads and forked processes."""

from __future__ import annotations

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from sandbox.request_context import generate_id
from tests.virtualenvs import ROOT

FORKS = """
import os
from sandbox.request_context import generate_id
generate_id()
child = os.fork()
if child:
    os.waitpid(child, 0)
print(*(generate_id() for _ in range(100)), flush=True)
os._exit(0)
"""


def test_ids_are_32_hexadecimal_digits_and_no_two_are_equal() -> None:
    with ThreadPoolExecutor(8) as threads:
        ids = [made for many in threads.map(lambda _: [generate_id() for _ in range(1_000)], range(8)) for made in many]
    assert len(set(ids)) == 8_000
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in ids)


def test_a_forked_process_makes_ids_of_its_own() -> None:
    """Runs in a separate process without threads. It forks with ids in stock, and both sides then write a hundred."""
    done = subprocess.run([sys.executable, "-c", FORKS], cwd=ROOT, check=True, capture_output=True, text=True)
    ids = done.stdout.split()
    assert len(ids) == len(set(ids)) == 200
