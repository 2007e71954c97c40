# attack: leave TCP ports in TIME_WAIT, so that no later program can listen on them
# contained: the box's network namespace keeps none
# expect: ok

import socket

for port in range(7000, 7020):
    server = socket.create_server(("127.0.0.1", port))
    try:
        client = socket.create_connection(("127.0.0.1", port))
    except OSError:  # loopback itself is down
        break
    accepted, _ = server.accept()
    accepted.close()
    client.recv(1)
    client.close()
    server.close()
