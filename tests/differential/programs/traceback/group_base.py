# A group of KeyboardInterrupt and SystemExit is printed as a group.
raise BaseExceptionGroup("g", [KeyboardInterrupt(), SystemExit(3), ValueError("v")])
