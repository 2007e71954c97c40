# Output that is flushed in pieces over time arrives in order.
import sys
import time
for i in range(5):
    sys.stdout.write(f"{i} ")
    sys.stdout.flush()
    time.sleep(0.02)
print()
