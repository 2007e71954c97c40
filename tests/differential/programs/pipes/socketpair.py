# A socket pair has the descriptors 3 and 4, and one end sees the other's shutdown.
import socket
a, b = socket.socketpair()
a.sendall(b"hello")
a.shutdown(socket.SHUT_WR)
print(b.recv(10), b.recv(10), a.fileno(), b.fileno())
a.close()
b.close()
