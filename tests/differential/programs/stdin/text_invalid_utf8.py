# Bytes of standard input that are no UTF-8 survive a round trip.
import sys
data = sys.stdin.read()
print(ascii(data), sys.stdin.errors, sys.stdin.encoding)
sys.stdout.write(data)
