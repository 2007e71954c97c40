# attack: leave sparse files far larger than the box
# contained: they hold no memory and go like others
# expect: ok

import os

for number in range(50):
    with open(f"/tmp/sparse{number}", "wb") as file:
        file.truncate(16 << 20)
