# Codecs are found by their aliases, and an unknown one raises LookupError.
import codecs
print(codecs.lookup("utf8").name, codecs.lookup("latin1").name, codecs.lookup_error("strict").__name__)
print(codecs.encode("abc", "rot13"))
"x".encode("no-such-codec")
