# The decimal context starts with its defaults and is part of the copied context.
import contextvars
import decimal
print(decimal.getcontext())
decimal.getcontext().prec = 5
print(decimal.Decimal(1) / 3, contextvars.copy_context().run(lambda: decimal.Decimal(2) / 3))
