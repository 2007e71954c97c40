# attack: unpack a bomb of zeros into memory
# contained: the box's memory limit
# expect: memory_limit_exceeded
# limits: {"cpu_time_s": 3, "wall_time_s": 6}

import zlib

packer = zlib.compressobj(9)
packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(200)) + packer.flush()
unpacked = zlib.decompress(packed)
