"""Modules to preload in an interpreter that runs assert tests and test files, or serves a program to them.

These modules take 1.1 MB. Boxes preload them in a separate warm interpreter, because a fork copies page tables: in the
main interpreter, the modules would cost every short program 5 % of its CPU time.
"""

from sandbox.runner.harness.assert_tests import run_test
from sandbox.runner.harness.served_program import serve_test
from sandbox.runner.harness.shared_process import prepare
from sandbox.runner.harness.shared_process import run_shared_test as run_shared

__all__ = ["prepare", "run_shared", "run_test", "serve_test"]
