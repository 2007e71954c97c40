"""Print the one number of the input: N."""

import sys

print(int(sys.argv[1]))
