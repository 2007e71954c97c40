# A message with accents, an emoji and control characters is written as UTF-8.
raise ValueError("é ü 日本 \U0001f600 \x00 \x07")
