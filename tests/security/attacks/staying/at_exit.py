# attack: start a daemon from an exit handler, after the program seems to be over
# contained: exit handlers run inside the run
# expect: ok

import atexit
import os
import time


@atexit.register
def last():
    if os.fork() == 0:
        os.setsid()
        time.sleep(60)
