# The raw stream and the buffer of stdin read one after the other.
import sys
raw = sys.stdin.buffer.raw
b = bytearray(5)
print(raw.readinto(b), bytes(b))
print(sys.stdin.buffer.peek()[:3], sys.stdin.buffer.read1(3), sys.stdin.buffer.readline())
