# Quotes, backslashes, newlines and shell characters arrive unchanged in the arguments.
import sys
for a in sys.argv[1:]:
    print(ascii(a))
