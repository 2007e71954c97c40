# attack: exit with success before the asserts run
# contained: a test passes only when its end was reached, told by a word the program does not know
# expect: wrong_answer
# uses: asserts
# isolations: separate, shared

import os

os._exit(0)
