# All byte values pass from standard input to standard output.
import sys
data = sys.stdin.buffer.read()
print(len(data), data == bytes(range(256)) * 2)
sys.stdout.buffer.write(data)
