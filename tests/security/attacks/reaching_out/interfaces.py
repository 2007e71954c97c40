# attack: find a network interface besides loopback
# contained: there is none
# expect: ok
# stdout: contained

import os

there = os.listdir("/sys/class/net") if os.path.exists("/sys/class/net") else []
found = set(there) | {line.split(":")[0].strip() for line in list(open("/proc/net/dev"))[2:]}
print("contained" if found <= {"lo", "bonding_masters", "tunl0", "sit0", "ip6tnl0", "gre0", "gretap0", "erspan0"} else f"ESCAPED {found}")
