# attack: resolve a name through the system's resolver
# contained: no resolver is reachable
# expect: ok
# stdout: contained

import socket

try:
    print("ESCAPED", socket.getaddrinfo("example.org", 80))
except OSError as error:
    print("contained", error)
