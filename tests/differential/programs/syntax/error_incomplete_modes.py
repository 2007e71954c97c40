# codeop tells incomplete sources from wrong ones.
import codeop
for s in ("if x:", "x = (", "x = 1", "'''a", "a b"):
    try:
        print(repr(s), codeop.compile_command(s) is not None)
    except SyntaxError as e:
        print(repr(s), e.msg)
