# Closing the buffer of stdout closes stdout.
import sys
print("first", flush=True)
sys.stdout.buffer.close()
sys.stderr.write(f"{sys.stdout.closed}\n")
