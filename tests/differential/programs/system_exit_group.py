raise BaseExceptionGroup("g", [SystemExit(5)])
