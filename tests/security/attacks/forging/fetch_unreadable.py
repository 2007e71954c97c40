# attack: have a file fetched that its owner cannot read
# contained: the supervisor can read it, because the client asked for it
# expect: ok
# fetch: ["closed"]

import os

open("closed", "w").write("x")
os.chmod("closed", 0)
