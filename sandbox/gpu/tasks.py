"""The name under which Redis stores the function of a GPU job. RQ imports it by this path, so it must stay while
workers and APIs of different versions share a queue.
"""

from sandbox.gpu.rq_entry import run_job as perform

__all__ = ["perform"]
