# attack: find the host's disks as device nodes or mounts
# contained: the box contains no block device, and only the engine's three files and one empty folder are mounted from the host
# expect: ok
# engines: docker
# stdout: contained

import os
import stat

for folder, _, names in os.walk("/dev"):
    for name in names:
        status = os.lstat(os.path.join(folder, name))
        if stat.S_ISBLK(status.st_mode):
            print("ESCAPED: device", name)
allowed = {"/etc/resolv.conf", "/etc/hostname", "/etc/hosts", "/run/sandbox", "/"}
for line in open("/proc/self/mounts"):
    source, target = line.split()[:2]
    if source.startswith("/dev/") and target not in allowed:
        print("ESCAPED:", line)
print("contained")
