# A mutable default of a dataclass field raises ValueError with its traceback.
from dataclasses import dataclass
@dataclass
class Bad:
    x: list = []
