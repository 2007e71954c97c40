import os
print(os.sched_getscheduler(0), os.nice(0) == os.getpriority(os.PRIO_PROCESS, 0))
