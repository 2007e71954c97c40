# A child with a closed pipe dies of SIGPIPE.
import subprocess
p = subprocess.Popen(["yes"], stdout=subprocess.PIPE)
print(p.stdout.readline())
p.stdout.close()
print(p.wait())
