# Audit hooks see the event of the exception hook.
import sys
def audit(event, args):
    if event in ("sys.excepthook", "sys.unraisablehook"):
        print(event, args[1].__name__ if event == "sys.excepthook" else "")
sys.addaudithook(audit)
1 / 0
