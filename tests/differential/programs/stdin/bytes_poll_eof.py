# poll() reports an empty standard input as readable or hung up, and stdout as writable.
import select
p = select.poll()
p.register(0, select.POLLIN)
p.register(1, select.POLLOUT)
events = dict(p.poll(1000))
print(sorted(events), bool(events.get(0, 0) & (select.POLLIN | select.POLLHUP)), events[1] == select.POLLOUT)
