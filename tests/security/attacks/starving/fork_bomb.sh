# attack: the classical shell fork bomb
# contained: RLIMIT_NPROC and the limits
# expect: ok, runtime_error, time_limit_exceeded, memory_limit_exceeded

bomb() { bomb | bomb & }
bomb 2>/dev/null
wait
sleep 5
