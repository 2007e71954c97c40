# Carets stand right on a line with tabs.
def f():
	if True:
		return	[1,	2][	5]
f()
