# attack: have cron, at or systemd start something later
# contained: none of them runs in a box, and their folders are read-only
# expect: ok
# stdout: contained

for name in /etc/cron.d/x /var/spool/cron/x /var/spool/cron/crontabs/root /etc/systemd/system/x.service /var/spool/at/x /etc/init.d/x; do
    (echo '* * * * * root touch /tmp/x' > "$name") 2>/dev/null && echo "ESCAPED: $name"
done
for tool in crontab at systemctl systemd-run; do command -v $tool >/dev/null && $tool -l >/dev/null 2>&1 && echo "ESCAPED: $tool"; done
echo contained
