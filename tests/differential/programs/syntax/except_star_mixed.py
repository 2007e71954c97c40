# except and except* in one try statement are an error.
try:
    pass
except* ValueError:
    pass
except TypeError:
    pass
