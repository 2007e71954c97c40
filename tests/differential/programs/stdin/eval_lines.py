# Lines of standard input are evaluated until one divides by zero.
import sys
for line in sys.stdin:
    print(eval(line))
