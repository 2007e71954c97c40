# attack: leave a large tmpfs behind under a large limit, so that the next program's smaller limit cannot be set
# contained: the limit is lowered only after the supervisor has cleaned up
# expect: ok
# limits: {"memory_mb": 256}

block = b"x" * (1 << 20)
for number in range(10):
    with open(f"/dev/shm/{number}", "wb") as file:
        for _ in range(15):
            file.write(block)
