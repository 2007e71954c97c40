# Characters outside ASCII in arguments decode and encode as UTF-8.
import os
import sys
for a in sys.argv[1:]:
    print(ascii(a), os.fsencode(a))
