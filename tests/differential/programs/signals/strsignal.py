# Signals have their usual names and number.
import signal
print(signal.strsignal(9), signal.Signals(2), signal.SIGTERM, len(signal.valid_signals()))
