# A dataclass with order and slots compares, prints and names its fields as usual.
from dataclasses import asdict, dataclass, field, fields
@dataclass(order=True, slots=True)
class Item:
    name: str
    tags: list = field(default_factory=list)
    n: "int" = 3
print(Item("a") < Item("b"), Item("a"), asdict(Item("c", ["t"])))
print([f.type for f in fields(Item)], Item.__init__.__qualname__, Item.__module__)
