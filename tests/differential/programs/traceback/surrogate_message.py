# Surrogates in a message are escaped.
raise ValueError("bad \udc80 and \ud800 char")
