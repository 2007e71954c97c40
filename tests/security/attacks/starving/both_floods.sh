# attack: flood both streams from many processes
# contained: killed at the limit
# expect: output_limit_exceeded

for n in 1 2 3 4; do (while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done) & (while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxx >&2; done) & done
wait
