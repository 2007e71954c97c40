# attack: make a POSIX message queue as a file in /dev/mqueue, past the filter
# contained: RLIMIT_MSGQUEUE is zero
# expect: ok
# stdout: contained

import os

try:
    os.close(os.open("/dev/mqueue/left", os.O_CREAT | os.O_RDWR, 0o666))
    print("ESCAPED")
except OSError as error:
    print("contained", error)
