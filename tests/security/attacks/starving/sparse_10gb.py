# attack: a sparse file of ten gigabytes
# contained: RLIMIT_FSIZE
# expect: ok
# stdout: contained

try:
    with open("big", "wb") as file:
        file.seek(10 << 30)
        file.write(b"x")
    print("ESCAPED")
except OSError as error:
    print("contained", error)
