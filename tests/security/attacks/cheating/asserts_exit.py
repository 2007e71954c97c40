# attack: exit with success before the asserts run
# contained: a test passes only if it reports its end with a nonce that the program does not know
# expect: wrong_answer
# uses: asserts
# isolations: separate, shared

import os

os._exit(0)
