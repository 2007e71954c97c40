# attack: leave directories nested ten thousand deep, so that a recursive removal fails
# contained: removal needs no recursion and no long path
# expect: ok
# stdout: made

import os

for _ in range(10_000):
    os.mkdir("d")
    os.chdir("d")
open("bottom", "w").close()
print("made")
