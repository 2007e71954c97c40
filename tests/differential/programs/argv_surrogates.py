import os
import sys
for a in sys.argv[1:]:
    print(ascii(a), os.fsencode(a))
