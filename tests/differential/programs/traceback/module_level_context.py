# An exception at module level has no context of earlier ones.
try:
    raise ValueError("x")
except ValueError as e:
    print(e.__context__, e.__cause__, e.__suppress_context__)
    print(e.__traceback__.tb_frame.f_back)
raise KeyError("no context expected")
