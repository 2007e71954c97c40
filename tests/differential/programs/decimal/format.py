# Decimals and floats format with the default precision.
from decimal import Decimal, getcontext
print(getcontext().prec, Decimal("1") / Decimal("7"), Decimal("1e3").normalize(), format(Decimal("1234567.891"), ",.2f"))
print(f"{0.1 + 0.2!r} {1e16} {1e-5} {float('nan')} {-0.0} {1/3:.20f} {12345678.9:e} {255:#x} {1e22}")
