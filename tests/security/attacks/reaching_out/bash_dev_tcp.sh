# attack: use the shell's own /dev/tcp, for which no tool is needed
# contained: no route
# expect: ok
# stdout: contained

if (exec 3<>/dev/tcp/1.1.1.1/80) 2>/dev/null; then echo ESCAPED; fi
if (exec 3<>/dev/udp/1.1.1.1/53) 2>/dev/null; then echo ESCAPED; fi
echo contained
