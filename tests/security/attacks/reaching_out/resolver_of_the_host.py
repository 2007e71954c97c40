# attack: learn the host's name servers and search domain from the resolver's configuration
# contained: the box has a resolver configuration of its own
# expect: ok
# stdout: contained

for line in open("/etc/resolv.conf"):
    word, _, value = line.partition(" ")
    if word == "search" or (word == "nameserver" and value.strip() != "127.0.0.1"):
        print("ESCAPED", line)
print("contained")
