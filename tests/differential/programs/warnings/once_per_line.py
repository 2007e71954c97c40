# A repeated warning of one line is shown once for each text.
import warnings
for i in range(3):
    warnings.warn("repeated")
for i in range(2):
    warnings.warn(f"different {i}")
print(sorted(k for k in globals() if "warning" in k), len(__warningregistry__))
