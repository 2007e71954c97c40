# Text larger than the buffer mixes with raw writes at the usual byte.
import os
import sys
sys.stdout.write("a" * 8000 + "\n")
os.write(1, b"<raw1>\n")
sys.stdout.write("b" * 300 + "\n")
os.write(1, b"<raw2>\n")
sys.stdout.write("c" * 9000 + "\n")
os.write(1, b"<raw3>\n")
