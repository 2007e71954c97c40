# Accents, symbols, ideographs and an emoji are written as UTF-8.
print("é ü ß € 日本語 \U0001f600 \u200b|")
