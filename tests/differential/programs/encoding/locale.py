# The locale and the preferred encoding are those of a plain start.
import locale
print(locale.getpreferredencoding(False), locale.getencoding(), locale.getlocale())
print(locale.setlocale(locale.LC_CTYPE), locale.setlocale(locale.LC_NUMERIC), locale.setlocale(locale.LC_TIME))
