# A group of twenty exceptions is shortened.
raise ExceptionGroup("many", [ValueError(i) for i in range(20)])
