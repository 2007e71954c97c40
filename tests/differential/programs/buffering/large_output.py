# Hundreds of kilobytes on both streams arrive complete.
import sys
for i in range(5000):
    print(i, "x" * 60)
sys.stderr.write("e" * 100000 + "\n")
