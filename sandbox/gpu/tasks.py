"""The name under which Redis stores the function of a GPU job. RQ imports it by this path, so workers and APIs of two
versions that run beside each other need it.
"""

from sandbox.gpu.rq_entry import run_job as perform

__all__ = ["perform"]
