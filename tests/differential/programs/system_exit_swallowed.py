import sys
def f():
    try:
        sys.exit(5)
    finally:
        return "swallowed"
print(f())
