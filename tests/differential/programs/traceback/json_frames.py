# A JSON error shows the frames of the standard library.
import json
def load():
    return json.loads('{"a": [1, 2,, 3]}')
load()
