# open() without an encoding writes UTF-8.
import io
f = open("t.txt", "w")
print(f.encoding, f.errors, io.text_encoding(None))
f.write("é")
f.close()
print(open("t.txt", "rb").read())
