# attack: find the programs or work directories of others
# contained: the box's root may not be listed, and holds one program at a time
# expect: ok
# stdout: contained

import os

try:
    print("ESCAPED: lists", os.listdir("/box"))
except OSError as error:
    print("contained", error)
print("ESCAPED: found an executable" if os.path.exists("/box/program") and os.listdir("/box/program") else "contained")
