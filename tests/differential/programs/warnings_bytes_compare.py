print(b"a" == "a", str(b"x"))
