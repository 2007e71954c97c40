"""Ids are all different, in every thread and in a forked process, too."""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor

from sandbox.ids import new_id


def test_ids_are_32_hexadecimal_digits_and_no_two_are_equal() -> None:
    with ThreadPoolExecutor(8) as threads:
        ids = [made for many in threads.map(lambda _: [new_id() for _ in range(1_000)], range(8)) for made in many]
    assert len(set(ids)) == 8_000
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in ids)


def test_a_forked_process_makes_ids_of_its_own() -> None:
    new_id()  # so that there is a stock to inherit
    ours, theirs = os.pipe()
    child = os.fork()
    if not child:
        os.write(theirs, new_id().encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(theirs)
    with os.fdopen(ours) as told:
        assert told.read() not in {new_id() for _ in range(1_000)}
