# A warning that is turned into an error ends the program.
import warnings
warnings.simplefilter("error")
warnings.warn("becomes an exception")
