# attack: replace a plain file with a link while it is fetched
# contained: all processes of the program have ended when its files are fetched
# expect: ok
# fetch: ["result", "result", "result", "result"]

import os
import time

open("plain", "w").write("mine")
os.symlink("/etc/passwd", "link")
os.link("plain", "result")
if os.fork() == 0:
    os.setsid()
    while True:
        os.rename("link", "result")
        os.symlink("/etc/passwd", "link")
        os.link("plain", "other")
        os.rename("other", "result")
time.sleep(0.02)
