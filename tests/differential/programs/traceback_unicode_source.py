def größe(wert):
    naïve = "日本語 ünïcödé"; return wert / 0 + len(naïve)
größe(1)
