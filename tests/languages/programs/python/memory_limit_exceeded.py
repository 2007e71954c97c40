held: list[bytearray] = []
while True:
    held.append(bytearray(b"x" * (1 << 20)))
