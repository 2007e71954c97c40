# attack: store an earlier test's answer in every place that may persist
# contained: no place persists
# expect: ok
# runs: 3
# stdout: ^fresh

import os

places = ("/tmp/answer", "/dev/shm/answer", "/var/tmp/answer", "answer", os.path.expanduser("~/answer"))
print("ESCAPED: remembers" if any(map(os.path.exists, places)) else "fresh")
for place in places:
    open(place, "w").write("7")
