# attack: raise one's own resource limits
# contained: hard limits are as low as soft ones
# expect: ok
# stdout: contained

import resource

for name in ("CPU", "FSIZE", "CORE", "NOFILE", "NPROC", "MEMLOCK", "MSGQUEUE", "STACK", "NICE", "RTPRIO"):
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
print("contained")
