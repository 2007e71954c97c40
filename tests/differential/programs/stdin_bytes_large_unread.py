print("never reads stdin")
