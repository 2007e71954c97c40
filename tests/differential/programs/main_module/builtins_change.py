# A name added to the builtins is visible, and exit, quit and help are there.
import builtins
__builtins__.answer = 42
print(answer, builtins is __builtins__, hasattr(builtins, "_"))
print("exit" in dir(builtins), "quit" in dir(builtins), "help" in dir(builtins), "copyright" in dir(builtins))
