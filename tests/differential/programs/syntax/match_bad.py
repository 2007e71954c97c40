# A match case that always matches must be the last one.
match 1:
    case x:
        pass
    case y:
        pass
