# A KeyError shows the repr of a key with a newline.
{}["line one\nline two"]
