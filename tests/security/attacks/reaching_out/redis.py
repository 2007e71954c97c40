# attack: find the queue's Redis on loopback or by its socket
# contained: the box has its own loopback, and the host's folders are not mounted
# expect: ok
# stdout: contained

import os
import socket

for port in (6379, 6380, 16379):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=0.2)
        print("ESCAPED to port", port)
    except OSError as error:
        print("contained", error)
for name in ("/var/lib/sandbox/redis.sock", "/var/run/redis/redis.sock", "/tmp/redis.sock"):
    if os.path.exists(name):
        print("ESCAPED: sees", name)
