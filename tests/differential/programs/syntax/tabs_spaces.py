# Tabs mixed with spaces are an error.
if True:
        x = 1
	y = 2
