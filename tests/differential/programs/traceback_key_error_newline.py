{}["line one\nline two"]
