# tell, seek, truncate and read fail on the standard streams, which have no position.
import io
import sys
for call in (sys.stdout.tell, lambda: sys.stdout.seek(0), sys.stdout.buffer.tell, sys.stdin.tell, lambda: sys.stdout.truncate(0), lambda: sys.stdout.read()):
    try:
        print(call())
    except (OSError, io.UnsupportedOperation) as e:
        print(type(e).__name__, e)
