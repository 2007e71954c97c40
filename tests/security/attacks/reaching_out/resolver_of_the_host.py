# attack: learn the host's name servers and search domain from the resolver's configuration
# contained: the box has its own resolver configuration
# expect: ok
# stdout: contained

import os

name = "/etc/resolv.conf"
for line in open(name) if os.path.exists(name) else ():
    word, _, value = line.partition(" ")
    if word == "search" or (word == "nameserver" and value.strip() != "127.0.0.1"):
        print("ESCAPED", line)
print("contained")
