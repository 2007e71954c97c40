# attack: make the dynamic loader load a library into every later process
# contained: /etc is read-only, and a run's environment ends with it
# expect: ok
# stdout: contained

export LD_PRELOAD=/tmp/evil.so PYTHONSTARTUP=/tmp/evil.py BASH_ENV=/tmp/evil.sh
(echo /tmp/evil.so > /etc/ld.so.preload) 2>/dev/null && echo ESCAPED
(echo export X=1 > /etc/environment) 2>/dev/null && echo ESCAPED
echo 'echo ESCAPED' > /tmp/evil.sh
echo contained
