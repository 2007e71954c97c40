# A local that is read before it is assigned gets its own message.
counter = 0
def inc():
    counter += 1
inc()
