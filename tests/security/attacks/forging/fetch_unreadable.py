# attack: have a file fetched that its owner has closed
# contained: the supervisor may read it, as the client asked for it
# expect: ok
# fetch: ["closed"]

import os

open("closed", "w").write("x")
os.chmod("closed", 0)
