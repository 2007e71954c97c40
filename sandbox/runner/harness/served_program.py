"""Serve a program to an assert test or a test file that runs in another process (`tested_program`)."""

from __future__ import annotations

import os
import sys
import traceback
from types import ModuleType
from typing import Any, NoReturn

from sandbox.runner.rpc import arguments, rpc_peer
from sandbox.runner.zygote.function_calls import PROGRAM_MODULE_NAME, find_function


def serve_test(namespace: dict[str, Any], calls: Any, answers: Any, first: bytes) -> None:
    """Answer the requests of a test until it ends."""

    def reply(request: dict[str, Any]) -> dict[str, Any]:
        name = request["name"]
        if request["do"] == "delete":
            namespace.pop(name, None)
            return {"value": None}
        if request["do"] == "set":
            namespace[name] = peer.decode(request["value"])
            return {"value": None}
        if request["do"] == "names":
            return {"value": [name for name in namespace if not name.startswith("_") and name not in predefined]}
        if name.partition(".")[0] not in namespace or (name in predefined and name not in arguments.NODE_CLASSES):
            return {"missing": name}
        if isinstance(namespace.get(name), ModuleType):
            return {"module": True}  # the test knows which module it means
        return peer.build_value_answer(find_function(namespace, name) if "." in name else namespace[name])

    predefined = arguments.find_predefined_names(namespace)
    peer = rpc_peer.RpcPeer(calls, answers, reply, end_process, arguments.call_for_test)
    peer.trust.own_modules = frozenset({PROGRAM_MODULE_NAME, "__main__"})
    try:
        peer.answer_all(first)
    except BaseException as error:  # noqa: BLE001 - the boundary of the program, including SystemExit
        traceback.print_exception(error)


def end_process(why: str) -> NoReturn:
    """Exit this process because the test ended while the program was calling one of the test's functions."""
    sys.stdout.flush()
    os._exit(0)
