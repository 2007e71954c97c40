# setlocale accepts the environment's locale and refuses an unknown one.
import locale
print(locale.setlocale(locale.LC_ALL, ""))
try:
    locale.setlocale(locale.LC_ALL, "xx_YY.nope")
except locale.Error as e:
    print(e)
print(locale.setlocale(locale.LC_ALL, "C"), locale.getencoding())
