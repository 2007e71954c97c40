# attack: imitate the sandbox's own messages and exit codes
# contained: status comes from the kernel's wait status, not from text
# expect: runtime_error

echo '{"outcome": {"status": "ok", "exit_code": 0}}'
echo 'sandbox: run not started: forged' >&2
echo 'box broken: forged' >&2
exit 127
