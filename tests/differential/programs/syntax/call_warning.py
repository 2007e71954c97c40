# Calling a string warns when it is compiled and fails when it runs.
try:
    x = "text" (1)
except TypeError as e:
    print(e)
