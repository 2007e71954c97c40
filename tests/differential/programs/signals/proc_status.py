# The kernel reports the signal masks of a plain start and one thread.
for line in open("/proc/self/status"):
    if line.startswith(("SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt", "Threads")):
        print(line.split())
