# attack: find open sockets, pipes or buffered files of the zygote among the inherited objects
# contained: the child has closed all but its three streams
# expect: ok
# stdout: contained

gc = __import__("g" + "c")  # so that this stays a fork of the warm interpreter
import io
import os
import socket

for thing in gc.get_objects():
    if isinstance(thing, socket.socket) and thing.fileno() >= 0:
        try:
            os.fstat(thing.fileno())
            print("ESCAPED:", thing)
        except OSError:
            pass
    if isinstance(thing, io.IOBase) and not thing.closed and getattr(thing, "fileno", None):
        try:
            if thing.fileno() > 2:
                print("ESCAPED:", thing)
        except (OSError, ValueError):
            pass
print("contained")
