# Only the usual signals have an action other than the default.
import signal
print([(int(s), str(getattr(signal.getsignal(s), "name", "other"))) for s in sorted(signal.valid_signals()) if signal.getsignal(s) is not signal.SIG_DFL])
