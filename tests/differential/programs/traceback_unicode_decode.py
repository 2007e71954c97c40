b"abc\xff\xfe".decode("utf-8")
