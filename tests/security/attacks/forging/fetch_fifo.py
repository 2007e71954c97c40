# attack: have a FIFO, a directory and a socket fetched, so that the supervisor waits forever
# contained: only plain files are fetched, and opening does not wait
# expect: ok
# fetch: ["fifo", "folder", "socket", "folder/fifo"]

import os
import socket

os.mkfifo("fifo")
os.mkdir("folder")
os.mkfifo("folder/fifo")
socket.socket(socket.AF_UNIX).bind("socket")
