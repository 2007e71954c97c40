# attack: open a TCP connection to public addresses
# contained: the box's network namespace contains only loopback
# expect: ok
# stdout: contained

import socket

for address in [("1.1.1.1", 53), ("8.8.8.8", 443), ("93.184.215.14", 80)]:
    try:
        socket.create_connection(address, timeout=0.3)
        print("ESCAPED to", address)
    except OSError as error:
        print("contained", error)
