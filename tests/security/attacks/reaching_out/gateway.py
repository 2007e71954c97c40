# attack: reach services of the host at the container bridge's gateway
# contained: the box has no bridge
# expect: ok
# stdout: contained

import socket

for host in ("172.17.0.1", "172.18.0.1", "10.0.2.2", "192.168.65.2"):
    for port in (22, 80, 2375, 6379, 8080):
        try:
            socket.create_connection((host, port), timeout=0.05)
            print("ESCAPED to", host, port)
        except OSError:
            pass
print("contained")
