"""The interface through which an assert test or a pytest file uses the program under test."""

from __future__ import annotations

import os
from collections.abc import Iterable
from types import ModuleType
from typing import Any, NoReturn

from sandbox.runner.harness.failure_messages import MAX_MESSAGE_CHARS
from sandbox.runner.reports import BROKEN, ENDED_EARLY, PROGRAM_FAILED, Reporter
from sandbox.runner.rpc import rpc_peer, test_files
from sandbox.runner.rpc.source_names import BUILTIN_NAMES, SourceNames
from sandbox.runner.zygote.function_calls import ANSWERS_DESCRIPTOR, CALLS_DESCRIPTOR, PROGRAM_MODULE_NAMES


class TestPeer(rpc_peer.RpcPeer):
    """The test's side of the RPC connection. It records whether the test has used the program at all."""

    __test__ = False
    was_used = False

    def exchange(self, request: dict[str, Any]) -> dict[str, Any]:
        self.was_used = True
        return super().exchange(request)


class TestedProgram:
    """Gives a test access to the globals of the program in the other process."""

    def __init__(self, reporter: Reporter, modules: frozenset[str] = PROGRAM_MODULE_NAMES) -> None:
        self.reporter = reporter
        self.module_names = modules
        self.source_names = SourceNames()
        self.missing_names: set[str] = set()
        self.peer = TestPeer(
            os.fdopen(os.dup(CALLS_DESCRIPTOR), "rb"),
            os.fdopen(os.dup(ANSWERS_DESCRIPTOR), "wb"),
            refuse_request,
            self._end_program_failed,
        )
        self.peer.trust.look_up = self.find

    def set_source_names(self, names: SourceNames, bound: Iterable[str] = ()) -> None:
        """Store the names in the test's source, which determine what the program may be asked for.

        `bound` names the free names that are already defined for the source.
        """
        self.source_names = names
        self.peer.trust.expected_names = names.free.difference(bound)
        if not names.words.isdisjoint(test_files.TEMPORARY_FILE_NAMES):
            self.peer.share_files(test_files.TestFiles(self._end_program_failed, self._end_broken))

    def find(self, name: str, allow_class: bool = True) -> Any:
        """Look up a global of the program; return None if there is none."""
        try:
            return self.get(name, allow_class)
        except KeyError:
            return None

    def get(self, name: str, allow_class: bool = True) -> Any:
        """Look up a global of the program. Raises KeyError. With `allow_class` False it may not be a class.

        If the program's global is a module that the test's source names, return the module of the test's own process. A
        name that the source uses as a module always means that module, whatever the program defines under the name.
        """
        answer = self._request_name(name)
        if name not in self.source_names.as_modules and "module" not in answer:
            found = self._check_exception_class(self.peer.decode_answer(answer))
            if allow_class:
                self.peer.note_lookup(found, name)
            return found
        if allow_class and name in self.source_names.modules:
            return self.source_names.modules[name]
        self.missing_names.add(name)
        raise KeyError(name)

    def _check_exception_class(self, found: Any) -> Any:
        """Raise an error if an exception class of the program would catch the test's own failed assertions."""
        if isinstance(found, type) and issubclass(AssertionError, found):
            self.peer.last_raised = TypeError(f"the program may not provide the exception class {found.__name__}")
            raise self.peer.last_raised
        return found

    def _request_name(self, name: str) -> dict[str, Any]:
        answer = self.peer.exchange({"do": "get", "name": name})
        if answer.get("missing") == name:
            self.missing_names.add(name.partition(".")[0])
            raise KeyError(name)
        return answer

    def set(self, name: str, value: Any) -> None:
        self.peer.ask({"do": "set", "name": name, "value": self.peer.encode(value)})

    def delete(self, name: str) -> None:
        self.peer.ask({"do": "delete", "name": name})

    def list_star_names(self) -> list[str]:
        """Return the names that `from solution import *` binds: public ones that the test's source mentions.

        The program cannot bind any other name, which pytest or unittest might collect. It cannot hide a builtin or a
        name that the source binds itself.
        """
        answer = self.peer.ask({"do": "names", "name": ""})
        names = {name for name in answer or () if isinstance(name, str) and not name.startswith("_")}
        return sorted((names & self.source_names.words) - BUILTIN_NAMES - self.source_names.bound)

    def is_at_fault(self, error: BaseException | None) -> bool:
        """Return whether an exception that ended the test came from the program and not from the test's own check.

        It need not be the last exception that the program raised, because formatting it may have called the program
        again.
        """
        if error is not None and (error is self.peer.last_raised or vars(error).get("_caught")):
            return True
        if isinstance(error, NameError):
            return error.name in self.missing_names
        if type(error) is ImportError:
            return error.name in self.module_names and bool(self.missing_names)
        return isinstance(error, AttributeError) and isinstance(error.obj, TestedModule)

    def is_broken_by(self, error: BaseException | None) -> bool:
        """Return whether an exception means that the test cannot run with any program.

        This is the case if the test itself imports a module that is not installed.

        The program can neither choose the module's name nor raise this exception itself.
        """
        if not isinstance(error, ImportError) or self.is_at_fault(error):
            return False
        name = str(error.name).partition(".")[0]
        return name in self.source_names.words and name not in self.module_names

    def _end_program_failed(self, why: str) -> NoReturn:
        """Report that the program ended before the test did. The outcome of the program's own run says how it ended."""
        self.reporter.emit(end=PROGRAM_FAILED, message=(why or ENDED_EARLY)[:MAX_MESSAGE_CHARS])
        os._exit(0)

    def _end_broken(self, why: str) -> NoReturn:
        """Report that the test cannot run with any program."""
        self.reporter.emit(end=BROKEN, message=why[:MAX_MESSAGE_CHARS])
        os._exit(0)


def refuse_request(request: dict[str, Any]) -> dict[str, Any]:
    raise TypeError(f"the program may not request {request.get('do')!r}")


class TestedModule(ModuleType):
    """The program as a module that a test imports."""

    def __init__(self, name: str, program: TestedProgram) -> None:
        super().__init__(name)
        self.__dict__["_tested"] = program

    def __getattr__(self, name: str) -> Any:
        program: TestedProgram = self.__dict__["_tested"]
        if name == "__all__":
            return program.list_star_names()
        try:
            if name.startswith("__"):
                raise KeyError(name)
            return program.get(name)
        except KeyError:
            raise AttributeError(f"the program has no {name}", name=name, obj=self) from None

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("__"):
            super().__setattr__(name, value)
        else:
            self.__dict__["_tested"].set(name, value)

    def __delattr__(self, name: str) -> None:
        self.__dict__["_tested"].delete(name)
