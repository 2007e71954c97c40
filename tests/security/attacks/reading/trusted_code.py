# attack: find code of the judge, the queue or the worker inside the box
# contained: only the runner is copied into the image
# expect: ok
# stdout: contained

import os

found = set(os.listdir("/opt/sandbox/sandbox")) - {"__init__.py", "__pycache__", "runner"}
print(f"ESCAPED {found}" if found else "contained")
