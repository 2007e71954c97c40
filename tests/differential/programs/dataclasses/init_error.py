# The traceback of an error in __post_init__ shows the generated __init__.
from dataclasses import dataclass
@dataclass
class P:
    x: int
    def __post_init__(self):
        raise ValueError("post")
P(1)
