# attack: overwrite the program's source, so that its next test runs other code
# contained: the source is written anew for each test
# expect: ok
# runs: 2
# stdout: contained

import os

print("contained")
os.chmod("main.py", 0o777)
open("main.py", "w").write("print('ESCAPED')")
