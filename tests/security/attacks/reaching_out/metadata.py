# attack: read a cloud's metadata service
# contained: link-local addresses are unreachable
# expect: ok
# stdout: contained

import socket

for host in ("169.254.169.254", "169.254.170.2", "100.100.100.200", "fd00:ec2::254"):
    try:
        socket.create_connection((host, 80), timeout=0.2).sendall(b"GET /latest/meta-data/ HTTP/1.0\r\n\r\n")
        print("ESCAPED to", host)
    except OSError as error:
        print("contained", error)
