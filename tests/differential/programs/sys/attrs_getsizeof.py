# Basic objects have the same sizes.
import sys
print([sys.getsizeof(x) for x in (0, 1, 2**40, "", "abc", b"", [], (), {}, set(), 1.0, None)])
