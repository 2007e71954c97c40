raise ValueError("é ü 日本 \U0001f600 \x00 \x07")
