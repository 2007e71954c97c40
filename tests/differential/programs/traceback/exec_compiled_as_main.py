# Code that claims to come from main.py shows a line that main.py does not have.
code = compile("\n\n\nraise LookupError('wrong line')\n", __file__, "exec")
exec(code)
