# attack: read the files only root may read
# contained: only root can read root's files
# expect: ok
# stdout: contained

for name in /etc/shadow /etc/gshadow /root /proc/1/environ /run/sandbox; do
    cat "$name" >/dev/null 2>&1 && echo "ESCAPED: $name"
    ls "$name"/ >/dev/null 2>&1 && echo "ESCAPED: $name"
done
echo contained
