# A missing file is named in the error.
open("no/such/file.txt")
