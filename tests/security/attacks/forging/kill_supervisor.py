# attack: send every signal to the supervisor and the zygote
# contained: they have another uid, and the supervisor is the first of its PID namespace
# expect: ok
# stdout: contained

import os

for pid in filter(str.isdigit, os.listdir("/proc")):
    if int(pid) == os.getpid():
        continue
    for number in range(1, 65):
        try:
            os.kill(int(pid), number)
            print("ESCAPED:", pid, number)
        except OSError:
            pass
print("contained")
