code = compile("\n\nraise LookupError('wrong line')\n", __file__, "exec")
exec(code)
