import os
print(os.path.expanduser("~") == os.environ["HOME"], "PATH" in os.environ, os.path.isabs(os.environ["HOME"]))
