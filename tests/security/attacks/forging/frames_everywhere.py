# attack: write a well-formed answer of the supervisor into every descriptor
# contained: only stdout and stderr lead to the worker, and they are treated as data
# expect: runtime_error

import json
import os
import struct

outcome = {"status": "ok", "exit_code": 0, "signal": None, "cpu_time_s": 0, "wall_time_s": 0, "memory_mb": 0, "stopped": "", "message": ""}
text = json.dumps({"outcome": outcome}).encode()
for descriptor in range(1024):
    try:
        os.write(descriptor, struct.pack("=I", len(text)) + text)
    except OSError:
        pass
os._exit(3)
