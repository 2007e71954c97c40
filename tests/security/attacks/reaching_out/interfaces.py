# attack: find a network interface besides loopback
# contained: there is none
# expect: ok
# stdout: contained

import os

found = set(os.listdir("/sys/class/net")) | {line.split(":")[0].strip() for line in list(open("/proc/net/dev"))[2:]}
print("contained" if found <= {"lo", "bonding_masters", "tunl0", "sit0", "ip6tnl0", "gre0", "gretap0", "erspan0"} else f"ESCAPED {found}")
