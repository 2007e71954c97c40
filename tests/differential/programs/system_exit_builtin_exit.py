print("x")
exit(8)
