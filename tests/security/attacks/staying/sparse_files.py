# attack: leave sparse files far larger than the box
# contained: they take no memory and are removed like other files
# expect: ok

import os

for number in range(50):
    with open(f"/tmp/sparse{number}", "wb") as file:
        file.truncate(16 << 20)
