# attack: find a program that changes uid or has capabilities
# contained: the images contain none, and no_new_privs would make it ineffective
# expect: ok
# engines: docker
# limits: {"cpu_time_s": 3, "wall_time_s": 6}
# stdout: contained

import os
import stat

for folder, folders, names in os.walk("/usr"):
    for name in names:
        path = os.path.join(folder, name)
        status = os.lstat(path)
        if stat.S_ISREG(status.st_mode) and status.st_mode & (stat.S_ISUID | stat.S_ISGID):
            print("ESCAPED:", path)
        if stat.S_ISREG(status.st_mode) and folder.endswith("bin") and "security.capability" in os.listxattr(path):
            print("ESCAPED:", path)
print("contained")
