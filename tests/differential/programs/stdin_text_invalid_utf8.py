import sys
data = sys.stdin.read()
print(ascii(data), sys.stdin.errors, sys.stdin.encoding)
sys.stdout.write(data)
