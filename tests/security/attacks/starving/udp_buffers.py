# attack: hold more than the memory limit in the buffers of UDP sockets
# contained: socket memory is limited for each box
# expect: ok, memory_limit_exceeded
# stdout: contained

import socket

sockets = []
for _ in range(480):
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.bind(("127.0.0.1", 0))
    one.setblocking(False)
    sockets.append(one)
for one in sockets:
    try:
        for _ in range(8):
            sockets[0].sendto(b"x" * 60_000, one.getsockname())
    except OSError:
        pass
held = 0
for one in sockets:
    try:
        while True:
            held += len(one.recv(65_536))
    except OSError:
        pass
print("contained" if held < 24 << 20 else f"ESCAPED: {held >> 20} MiB in sockets")
