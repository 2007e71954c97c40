"""Imports for an interpreter that runs assert tests and test files, or serves a program to them.

These modules take 1.1 MB. Boxes start a separate warm interpreter for these tests. In the main one the modules would
slow down every fork, which copies page tables (5 % of the CPU time of a short program).
"""

from sandbox.runner.harness.assert_tests import run_test
from sandbox.runner.harness.served_program import serve_test
from sandbox.runner.harness.shared_process import prepare
from sandbox.runner.harness.shared_process import run_shared_test as run_shared

__all__ = ["prepare", "run_shared", "run_test", "serve_test"]
