# A return in a finally block cancels sys.exit.
import sys
def f():
    try:
        sys.exit(5)
    finally:
        return "swallowed"
print(f())
