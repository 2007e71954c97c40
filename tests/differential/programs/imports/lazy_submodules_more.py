# Submodules of email, logging, multiprocessing and urllib are not loaded early.
import email
import logging
import multiprocessing
import collections
import urllib
print(hasattr(email, "mime"), hasattr(logging, "handlers"), hasattr(logging, "config"), hasattr(multiprocessing, "pool"), hasattr(multiprocessing, "shared_memory"))
print(hasattr(urllib, "parse"), hasattr(urllib, "request"), hasattr(collections, "abc"))
urllib.parse.quote("x")
