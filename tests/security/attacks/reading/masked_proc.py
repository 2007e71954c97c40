# attack: read the parts of /proc and /sys that tell about the whole machine's memory, keys and timers
# contained: masked or unreadable
# expect: ok
# stdout: contained

import os

for name in ("/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/sched_debug", "/proc/kpagecount", "/proc/kallsyms", "/proc/iomem", "/proc/vmallocinfo", "/proc/slabinfo", "/proc/pagetypeinfo"):
    try:
        content = open(name, "rb").read(4096)
        if content.strip() and not (name in ("/proc/kallsyms", "/proc/iomem") and b"0000000000000000" in content or b"00000000-00000000" in content):
            print("ESCAPED:", name, content[:60])
    except OSError:
        pass
for name in ("/sys/firmware", "/sys/kernel/debug", "/sys/kernel/tracing", "/sys/fs/bpf"):
    try:
        if os.listdir(name):
            print("ESCAPED:", name)
    except OSError:
        pass
print("contained")
