# attack: find and connect to abstract Unix sockets, which no mount hides
# contained: they belong to the network namespace, and the box's contains none
# expect: ok
# stdout: contained

import socket

for line in open("/proc/net/unix").read().splitlines()[1:]:
    name = line.split()[7:]
    if name and name[0].startswith("@"):
        print("ESCAPED: sees", name[0])
for name in ("/containerd-shim/", "/tmp/.X11-unix/X0", "/org/freedesktop/systemd1/notify", "dbus"):
    try:
        socket.socket(socket.AF_UNIX).connect("\0" + name)
        print("ESCAPED to", name)
    except OSError:
        pass
print("contained")
