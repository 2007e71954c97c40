# attack: exit codes beyond a byte, to look like success
# contained: as in every shell, only the low byte counts, here 1
# expect: runtime_error

import os

os._exit(257 & 0xFFFF)
