# attack: list what listens in this network namespace
# contained: the tables are empty
# expect: ok
# stdout: contained

for table in tcp tcp6 udp udp6 raw; do
    [ "$(wc -l < /proc/net/$table)" -gt 1 ] && echo "ESCAPED: $table holds sockets"
done
echo contained
