"""What an interpreter imports to run assert tests and test files, or to serve a program to them.

These modules take 1.1 MB. Boxes start another warm interpreter for such tests, because in the one that runs everything
else they would slow down each fork: it copies page tables (5 % of the CPU time of a short program).
"""

from sandbox.runner.harness.assert_tests import run_test
from sandbox.runner.harness.served_program import serve_test
from sandbox.runner.harness.shared_process import prepare
from sandbox.runner.harness.shared_process import run_shared_test as run_shared

__all__ = ["prepare", "run_shared", "run_test", "serve_test"]
