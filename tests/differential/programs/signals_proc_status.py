for line in open("/proc/self/status"):
    if line.startswith(("SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt", "Threads")):
        print(line.split())
