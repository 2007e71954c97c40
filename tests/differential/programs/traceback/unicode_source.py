# Source lines and names with accents and wide characters are shown.
def größe(wert):
    naïve = "日本語 ünïcödé"; return wert / 0 + len(naïve)
größe(1)
