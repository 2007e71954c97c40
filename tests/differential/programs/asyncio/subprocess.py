# asyncio starts a shell, writes to it and reads its output and exit code.
import asyncio
async def main():
    p = await asyncio.create_subprocess_exec("sh", "-c", "read x; echo got $x; exit 3", stdin=-1, stdout=-1)
    out, _ = await p.communicate(b"word\n")
    print(out, p.returncode)
asyncio.run(main())
