# An import that fails three modules deep shows each file.
for i in range(3):
    with open(f"m{i}.py", "w") as f:
        f.write(f"import m{i + 1}\n")
import m0
