# attack: have a file of the system fetched through a symbolic link
# contained: links are not followed in any part of the path
# expect: ok
# fetch: ["result", "folder/passwd", "self"]

import os

os.symlink("/etc/passwd", "result")
os.symlink("/etc", "folder")
os.symlink("/proc/1/environ", "self")
