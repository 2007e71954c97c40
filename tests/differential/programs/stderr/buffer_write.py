# Bytes and text written to stderr arrive without a flush by hand.
import sys
sys.stderr.buffer.write(b"\xff\x00raw\n")
sys.stderr.write("text\n")
sys.stderr.buffer.write(b"not flushed by hand")
