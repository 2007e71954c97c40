# The cmd module prompts, dispatches commands and reports an unknown one.
import cmd
class Shell(cmd.Cmd):
    prompt = "$ "
    def do_greet(self, arg):
        print("hello", arg)
    def do_quit(self, arg):
        return True
Shell().cmdloop("intro")
