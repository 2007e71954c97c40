# Common signals have the actions of a plain start, and SIGINT raises KeyboardInterrupt.
import signal
for s in (signal.SIGINT, signal.SIGPIPE, signal.SIGTERM, signal.SIGXFSZ, signal.SIGHUP, signal.SIGCHLD, signal.SIGALRM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT, signal.SIGWINCH):
    h = signal.getsignal(s)
    print(s.name, getattr(h, "name", getattr(h, "__name__", h)))
print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
