# A large standard input arrives complete.
import hashlib
import sys
data = sys.stdin.buffer.read()
print(len(data), hashlib.sha256(data).hexdigest())
