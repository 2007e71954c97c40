code = "def h():\n    raise LookupError('in exec')\nh()\n"
exec(code)
