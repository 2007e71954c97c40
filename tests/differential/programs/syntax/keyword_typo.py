# A misspelled keyword is an error.
fro i in range(3):
    print(i)
