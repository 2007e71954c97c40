# A child without the class cannot unpickle an object of __main__.
import pickle
import subprocess
import sys
class P:
    x = 1
r = subprocess.run([sys.executable, "-c", "import pickle,sys\npickle.load(sys.stdin.buffer)"], input=pickle.dumps(P()), capture_output=True)
print(r.returncode, r.stderr.decode().splitlines()[-1].replace("'__main__' (built-in)", "__main__"))
