# attack: search every readable file for the answers
# contained: expected outputs never enter a box
# expect: ok
# stdout: contained

for name in expected answer tests solution judge checker; do
    found=$(ls -d /box/*$name* /tmp/*$name* /opt/*$name* /opt/sandbox/*$name* /opt/sandbox/sandbox/*$name* /run/*$name* ./*$name* 2>/dev/null)
    [ -n "$found" ] && echo "ESCAPED: $found"
done
echo contained
