# attack: fill the memory with files almost to the limit and exit normally, so that the supervisor has no memory left for cleaning up
# contained: cleaning up needs almost no memory
# expect: ok, memory_limit_exceeded

block = b"x" * 65_536
try:
    for number in range(100):
        with open(f"/dev/shm/{number}", "wb", 0) as file:
            for _ in range(8):
                file.write(block)
except OSError as error:
    print(error)
