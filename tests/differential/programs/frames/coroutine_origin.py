# A coroutine records where it was created, down to the module level.
import sys
sys.set_coroutine_origin_tracking_depth(5)
async def c(): ...
def make():
    return c()
co = make()
print([(line, name) for _, line, name in co.cr_origin])
co.close()
