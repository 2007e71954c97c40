import sys
for i in range(5000):
    print(i, "x" * 60)
sys.stderr.write("e" * 100000 + "\n")
