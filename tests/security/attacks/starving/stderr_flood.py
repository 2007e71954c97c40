# attack: flood stderr, which is not judged
# contained: it has the same limit
# expect: output_limit_exceeded

import os

while True:
    os.write(2, b"x" * 65_536)
