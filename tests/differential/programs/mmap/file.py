# A mapping changes the bytes of its file.
import mmap
with open("m.bin", "wb") as f:
    f.write(b"0123456789")
with open("m.bin", "r+b") as f, mmap.mmap(f.fileno(), 0) as m:
    m[2:4] = b"XY"
    print(m.find(b"Y"), m[:], m.size())
print(open("m.bin", "rb").read())
