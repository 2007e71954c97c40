# attack: use up the inodes of the box's file systems
# contained: their number is limited per box, and removal frees them
# expect: ok, memory_limit_exceeded, time_limit_exceeded, runtime_error

for n in $(seq 1 20000); do : > /tmp/$n || exit 0; done
