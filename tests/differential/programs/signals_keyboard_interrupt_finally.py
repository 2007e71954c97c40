try:
    raise KeyboardInterrupt
finally:
    print("cleanup")
