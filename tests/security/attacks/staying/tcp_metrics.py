# attack: leave a message in the metrics that TCP caches for an address
# contained: TCP caches nothing in a box; without a loopback device there is no TCP
# expect: ok
# stdout: contained

import socket

for _ in range(2):
    try:
        with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as one:
            two, _ = server.accept()
            with two:
                one.sendall(b"x" * 10_000)
                two.recv(10_000)
    except OSError:
        break
else:
    with open("/proc/sys/net/ipv4/tcp_no_metrics_save") as setting:
        if setting.read().strip() != "1":
            print("ESCAPED: it remembers")
print("contained")
