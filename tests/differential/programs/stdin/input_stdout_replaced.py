# input() writes its prompt to a replaced stdout.
import io
import sys
sys.stdout = io.StringIO()
a = input("prompt")
text = sys.stdout.getvalue()
sys.stdout = sys.__stdout__
print(repr(a), repr(text))
