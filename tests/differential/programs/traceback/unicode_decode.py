# A decoding error names the byte and its position.
b"abc\xff\xfe".decode("utf-8")
