# A class attribute code of a SystemExit subclass wins over the argument.
class Quit(SystemExit):
    code = 17
raise Quit("ignored args")
