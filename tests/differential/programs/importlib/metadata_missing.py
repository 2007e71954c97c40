# The version of a distribution that is not installed raises PackageNotFoundError.
import importlib.metadata
try:
    importlib.metadata.version("surely-not-installed-dist")
except importlib.metadata.PackageNotFoundError as e:
    print(e)
