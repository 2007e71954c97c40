# The program's own resource usage starts small.
import resource
import time
me = resource.getrusage(resource.RUSAGE_SELF)
print(me.ru_utime < 5, me.ru_maxrss > 1000, time.process_time() < 5, time.thread_time() < 5, time.perf_counter() > 0)
