# sys.exit in a finally block replaces the first exit code.
import sys
try:
    try:
        sys.exit(1)
    finally:
        print("inner finally")
        sys.exit(2)
finally:
    print("outer finally")
