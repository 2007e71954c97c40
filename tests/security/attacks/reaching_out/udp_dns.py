# attack: ask a public resolver over UDP, which carries data out even without an answer
# contained: no route out of the box's network namespace
# expect: ok
# stdout: contained

import socket

s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for host in ("8.8.8.8", "1.1.1.1", "172.17.0.1"):
    try:
        s.sendto(b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03org\x00\x00\x01\x00\x01", (host, 53))
        print("ESCAPED a datagram left for", host)
    except OSError as error:
        print("contained", error)
