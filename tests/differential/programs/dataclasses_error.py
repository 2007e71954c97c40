from dataclasses import dataclass
@dataclass
class Bad:
    x: list = []
