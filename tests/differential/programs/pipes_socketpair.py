import socket
a, b = socket.socketpair()
a.sendall(b"hello")
a.shutdown(socket.SHUT_WR)
print(b.recv(10), b.recv(10), a.fileno(), b.fileno())
a.close()
b.close()
