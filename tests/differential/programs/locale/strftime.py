# strftime uses the names and formats of the default locale.
import time
t = time.struct_time((2024, 2, 29, 13, 5, 9, 3, 60, 0))
print(time.strftime("%A %B %d %x %X %p %c", t))
