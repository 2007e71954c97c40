# The scheduling policy and the nice value are those of a plain start.
import os
print(os.sched_getscheduler(0), os.nice(0) == os.getpriority(os.PRIO_PROCESS, 0))
