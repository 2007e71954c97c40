class Quit(SystemExit):
    code = 17
raise Quit("ignored args")
