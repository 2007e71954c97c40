# Newlines are written as they are until reconfigure asks for a translation.
import sys
sys.stdout.write("unix\nmac\rdos\r\nend")
sys.stdout.flush()
sys.stdout.reconfigure(newline="\r\n")
print("\nlast")
