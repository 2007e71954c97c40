# The caret of an error stands right after wide characters.
x = "日本語" + "é" + )
