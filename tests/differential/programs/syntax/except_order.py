# A bare except that is not the last one is an error.
try:
    pass
except:
    pass
except ValueError:
    pass
