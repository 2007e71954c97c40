# mimetypes is not initialized until it is used.
import mimetypes
import urllib.parse
print(mimetypes.inited, mimetypes.guess_type("a.html"), mimetypes.inited)
print(urllib.parse.urlsplit("http://h/p?q#f"))
