e = ValueError("main message")
e.__notes__ = "not a list"
raise e
