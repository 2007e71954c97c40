# attack: raise the program's own resource limits
# contained: hard limits are as low as soft ones; that of open files is the Linux default, and those of the stack and of CPU time are not lowered because the cgroup and the supervisor's clock enforce them
# expect: ok
# stdout: contained

import resource

for name in ("FSIZE", "CORE", "NOFILE", "NPROC", "MEMLOCK", "MSGQUEUE", "SIGPENDING", "NICE", "RTPRIO"):
    kind = getattr(resource, f"RLIMIT_{name}", None)
    if kind is None:
        continue
    soft, hard = resource.getrlimit(kind)
    for wanted in (resource.RLIM_INFINITY, hard + 1):
        try:
            resource.setrlimit(kind, (wanted, wanted))
            print("ESCAPED:", name)
        except (ValueError, OSError):
            pass
if resource.getrlimit(resource.RLIMIT_NOFILE)[1] > 4096:
    print("ESCAPED: descriptors without end")
print("contained")
