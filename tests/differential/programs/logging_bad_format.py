import logging
logging.basicConfig()
logging.warning("%d items", "many")
print("end")
