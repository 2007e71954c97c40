# attack: find the programs or work directories of others
# contained: the box's root may not be listed, and holds one program at a time
# expect: ok
# stdout: contained

import os

for place in ("/box", "/box/program"):
    try:
        print("ESCAPED: lists", os.listdir(place))
    except OSError as error:
        print("contained", error)
