# attack: talk to the Docker daemon over its socket
# contained: the socket is not mounted
# expect: ok
# stdout: contained

import glob
import socket

names = ["/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock", "/run/podman/podman.sock"]
for name in names + glob.glob("/run/**/*.sock", recursive=True):
    try:
        s = socket.socket(socket.AF_UNIX)
        s.connect(name)
        print("ESCAPED to", name)
    except OSError as error:
        print("contained", error)
