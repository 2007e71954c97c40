# HOME and PATH are set, and ~ expands to HOME.
import os
print(os.path.expanduser("~") == os.environ["HOME"], "PATH" in os.environ, os.path.isabs(os.environ["HOME"]))
