# Two commands are connected by a pipe.
import subprocess
a = subprocess.Popen(["printf", "b\\na\\nc\\n"], stdout=subprocess.PIPE)
b = subprocess.Popen(["sort"], stdin=a.stdout, stdout=subprocess.PIPE, text=True)
a.stdout.close()
print(b.communicate()[0].split(), a.wait(), b.returncode)
