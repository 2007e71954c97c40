# attack: use su, sudo, mount or newuidmap
# contained: they do not exist or are not setuid
# expect: ok
# stdout: contained

for command in "su -c id" "sudo -n id" "mount -t tmpfs x /tmp" "newuidmap $$ 0 0 1" "unshare -Ur id" "nsenter -t 1 -a id" "chroot / id" "pkexec id"; do
    out=$($command 2>/dev/null </dev/null) && echo "ESCAPED: $command: $out"
done
echo contained
