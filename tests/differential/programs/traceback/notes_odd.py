# Notes that are a string are printed with one character a line.
e = ValueError("main message")
e.__notes__ = "not a list"
raise e
