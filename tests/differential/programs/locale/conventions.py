# Number formats and collation are those of the default locale.
import locale
print({k: v for k, v in locale.localeconv().items() if k in ("decimal_point", "thousands_sep", "grouping")})
print(f"{1234567.891:n}", locale.format_string("%.2f", 1234.5, grouping=True), locale.strcoll("a", "B") > 0)
