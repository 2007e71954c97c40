# The program starts with no resource usage of children.
import os
import resource
ch = resource.getrusage(resource.RUSAGE_CHILDREN)
print(ch.ru_utime, ch.ru_stime, ch.ru_maxrss, ch.ru_minflt)
t = os.times()
print(t.children_user, t.children_system)
