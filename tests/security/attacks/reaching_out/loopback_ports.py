# attack: scan loopback for the API or anything else that listens
# contained: the box has its own loopback, where nothing listens
# expect: ok
# stdout: contained

import socket

for port in [22, 53, 80, 443, 2375, 2376, 3000, 5000, 5432, 6379, 8000, 8080, 8443, 9090, 9100, 11434]:
    s = socket.socket()
    s.settimeout(0.05)
    if s.connect_ex(("127.0.0.1", port)) == 0:
        print("ESCAPED to port", port)
    s.close()
print("contained")
