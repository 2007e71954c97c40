# Frames of exec have no source lines.
code = "def h():\n    raise LookupError('in exec')\nh()\n"
exec(code)
