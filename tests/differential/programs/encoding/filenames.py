# File names that are not UTF-8 read back as surrogates and as the same bytes.
import os
open(b"caf\xe9.txt", "w").close()
open("naïve.txt", "w").close()
print([ascii(n) for n in sorted(os.listdir("."))])
print(sorted(os.listdir(b".")))
