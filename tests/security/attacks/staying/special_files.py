# attack: leave FIFOs, sockets, symlinks to directories and loops of symlinks
# contained: removed without being opened or followed
# expect: ok

import os
import socket

for top in ("/tmp", "/dev/shm", "."):
    os.mkfifo(f"{top}/fifo")
    socket.socket(socket.AF_UNIX).bind(f"{top}/socket")
    os.symlink("/opt/sandbox", f"{top}/link")
    os.symlink("/", f"{top}/root")
    os.symlink("loop", f"{top}/loop")
