raise BaseExceptionGroup("g", [KeyboardInterrupt(), SystemExit(3), ValueError("v")])
