# attack: use up the inodes of the box's file systems
# contained: they have a number of their own, and removal gives them back
# expect: ok, memory_limit_exceeded, time_limit_exceeded, runtime_error

for n in $(seq 1 20000); do : > /tmp/$n || exit 0; done
