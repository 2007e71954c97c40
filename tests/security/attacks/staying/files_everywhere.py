# attack: leave a file in every place that can be written
# contained: the work directory, /tmp and /dev/shm are emptied, and nothing else can be written
# expect: ok
# limits: {"cpu_time_s": 8, "wall_time_s": 16, "memory_mb": 256}

import os

for folder, folders, _ in os.walk("/"):
    if folder in ("/proc", "/sys"):
        folders.clear()
    try:
        open(os.path.join(folder, "left-by-an-attack"), "w").close()
    except OSError:
        continue
    if not folder.startswith(("/box/work", "/tmp", "/dev/shm", "/var/tmp")):
        print("ESCAPED: wrote into", folder)
