# attack: have a sparse file fetched that is as large as the memory
# contained: it is passed on as a descriptor, and never read inside the box
# expect: ok
# fetch: ["big"]
# limits: {"file_mb": 60}

with open("big", "wb") as file:
    file.truncate(59 << 20)
