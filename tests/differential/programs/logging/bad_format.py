# A log record with wrong arguments prints the error and the program goes on.
import logging
logging.basicConfig()
logging.warning("%d items", "many")
print("end")
