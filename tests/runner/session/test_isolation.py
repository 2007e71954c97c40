"""Branches that attack: another branch, their parent, their child, the supervisor, and the decision about uids."""

from __future__ import annotations

import pytest

from tests.runner.session.session_box import SessionBox

PREPARE = """
import os, signal, subprocess, ctypes, threading, socket, struct
open('secret', 'w').write('hidden')
pid, uid, work = os.getpid(), os.getuid(), os.getcwd()
token = 'TOKEN-OF-MEMORY'
"""
ATTACK = """
def attempt(action):
    try:
        return action()
    except OSError as error:
        return type(error).__name__
found = {
    'kill': attempt(lambda: os.kill(pid, 9)),
    'stop': attempt(lambda: os.kill(pid, signal.SIGSTOP)),
    'group': attempt(lambda: os.killpg(pid, 9)),
    'read': attempt(lambda: open(work + '/secret').read()),
    'write': attempt(lambda: open(work + '/new', 'w')),
    'list': attempt(lambda: os.listdir(work)),
    'chmod': attempt(lambda: os.chmod(work, 0o777)),
    'memory': attempt(lambda: open(f'/proc/{pid}/mem', 'rb')),
    'environ': attempt(lambda: open(f'/proc/{pid}/environ').read()),
    'fd': attempt(lambda: os.listdir(f'/proc/{pid}/fd')),
    'cwd': attempt(lambda: os.listdir(f'/proc/{pid}/cwd')),
    'init': attempt(lambda: os.kill(1, 9)),
    'init memory': attempt(lambda: open('/proc/1/mem', 'rb')),
}
libc = ctypes.CDLL(None, use_errno=True)
found['ptrace'] = libc.ptrace(16, pid, 0, 0)
sorted(set(map(str, found.values())))
"""
REFUSED = "['-1', 'PermissionError']"


@pytest.mark.parametrize("direction", ["parent", "child", "sibling", "opened"])
def test_no_branch_reaches_another(box: SessionBox, direction: str) -> None:
    box.execute(PREPARE)
    first, second = box.fork(count=2)
    box.open(100)
    attacker, victim = {"parent": (first, 0), "child": (0, first), "sibling": (first, second), "opened": (100, 0)}[
        direction
    ]
    target = box.execute("pid, uid, work = os.getpid(), os.getuid(), os.getcwd()\n(pid, uid, work)", victim).text
    box.execute("import os, signal, ctypes", attacker)
    answer = box.execute(f"pid, uid, work = {target}\n{ATTACK}", attacker)
    assert answer.text == REFUSED, answer
    assert box.execute("open('secret').read()", victim).text == "'hidden'"


def test_no_branch_takes_another_uid(box: SessionBox) -> None:
    box.execute(PREPARE)
    branch = box.fork()[0]
    victim = box.execute("os.getuid()", branch).text
    code = f"""
libc = ctypes.CDLL(None, use_errno=True)
victim, results = {victim}, []
def attack():
    for uid in (0, victim, uid_of_next):
        for call in (lambda: os.setresuid(uid, uid, uid), lambda: os.setuid(uid), lambda: os.seteuid(uid),
                     lambda: os.setreuid(uid, uid), lambda: os.setgid(0), lambda: os.setgroups([0])):
            try:
                results.append(call())
            except PermissionError:
                results.append('denied')
        results.append(libc.syscall(117, uid, uid, uid))
        libc.setfsuid(uid)
        results.append('denied' if libc.setfsuid(-1) in (-1, os.getuid()) else 'changed')
uid_of_next = victim + 1
attack()
thread = threading.Thread(target=attack); thread.start(); thread.join()
child = os.fork()
if child == 0:
    attack()
    os._exit(0 if set(results) == {{'denied', -1}} else 1)
(set(results) == {{'denied', -1}}, os.waitpid(child, 0)[1], os.getresuid() == (uid,) * 3)
"""
    assert box.execute(code).text == "(True, 0, True)"


def test_exec_drops_the_capability(box: SessionBox) -> None:
    branch = box.fork()[0]
    code = """
import subprocess
def read_capabilities(text):
    fields = dict(line.split(':\\t') for line in text.splitlines() if line.startswith('Cap'))
    return [int(fields[f'Cap{kind}'], 16) for kind in ('Inh', 'Prm', 'Eff', 'Amb')]
child = subprocess.run(['cat', '/proc/self/status'], capture_output=True, text=True).stdout
(read_capabilities(open('/proc/self/status').read()), read_capabilities(child))
"""
    assert box.execute(code, branch).text == "([0, 128, 128, 0], [0, 0, 0, 0])"
    box.open(50, kind="shell")
    for process in ("self", "$$"):
        command = f"grep -c 'Cap[IPEA].*0000000000000000' /proc/{process}/status"
        assert box.execute(command, 50).stdout == "4\n"


def test_neither_threads_nor_children_can_steal_the_uid_of_a_fork(box: SessionBox) -> None:
    """During a fork exactly one process may take the new uid. Threads and children of the parent try to be faster."""
    box.execute(PREPARE)
    box.execute(
        """
libc = ctypes.CDLL(None, use_errno=True)
stop, stolen = False, []
def race(first):
    while not stop:
        for target in range(first, first + 3):
            if libc.syscall(117, target, target, target) == 0:
                stolen.append(target)
threads = [threading.Thread(target=race, args=(uid + 1,), daemon=True) for _ in range(3)]
for thread in threads: thread.start()
child = os.fork()
if child == 0:
    import time
    end = time.time() + 5
    while time.time() < end:
        if libc.syscall(117, uid + 1, uid + 1, uid + 1) == 0:
            os._exit(9)
    os._exit(0)
"""
    )
    branch = box.fork()[0]
    assert box.execute("os.getuid() - uid", branch).text == "1"
    assert box.execute("stop = True\nfor thread in threads: thread.join()\nstolen").text == "[]"
    assert box.execute("os.waitpid(child, 0)[1]").text == "0"
    code = """
tasks = os.listdir('/proc/self/task')
{open(f'/proc/self/task/{task}/status').read().split('Uid:')[1].split()[0] for task in tasks} == {str(uid)}
"""
    assert box.execute(code).text == "True"


def test_user_namespaces_and_forged_credentials_give_nothing(box: SessionBox) -> None:
    box.execute(PREPARE)
    code = """
libc = ctypes.CDLL(None, use_errno=True)
answers = [libc.unshare(0x10000000), libc.prctl(47, 2, 7, 0, 0), libc.prctl(28, 1, 0, 0, 0)]
try:
    os.write(os.open('/proc/self/uid_map', os.O_WRONLY), b'0 0 1')
    answers.append('written')
except OSError:
    answers.append(-1)
answers
"""
    assert box.execute(code).text == "[-1, -1, -1, -1]"


FORGE = """
import fcntl, json, os, socket, struct
s = socket.socket(fileno=os.dup(448))
def say(header, body=b'{}'):
    text = json.dumps(header).encode()
    s.send(struct.pack('=I', len(text)) + text + body)
def say_large(header, body):
    memory_file = os.memfd_create('forged', os.MFD_ALLOW_SEALING)
    os.write(memory_file, body)
    fcntl.fcntl(memory_file, fcntl.F_ADD_SEALS, 0x2 | 0x4 | 0x8)
    text = json.dumps(header | {'large': len(body)}).encode()
    socket.send_fds(s, [struct.pack('=I', len(text)) + text], [memory_file])
    os.close(memory_file)
"""


def test_a_lying_repl_spoils_only_its_own_answers(box: SessionBox) -> None:
    branch = box.fork()[0]
    code = f"""{FORGE}
say({{'display': True}}, b'{{"data": 5}}')
say({{'display': True, 'large': 10**9}})
say({{'ready': True}}); say({{'moved': True}}); say({{'fork_failed': 'x'}})
say({{'done': True, 'exit_code': 'zero', 'branch': 0}}, b'{{"result": 7, "error": [1]}}')
"""
    answer = box.execute(code, branch)
    assert (answer.header["status"], answer.header["exit_code"], answer.header["result"]) == ("error", None, None)
    box.send_code("s.send(b'rubbish')\nimport time; time.sleep(1)", branch)
    assert box.wait_for_event("done")["state"] in {"kept", "lost"}
    assert box.execute("1 + 1").text == "2"


def test_a_forged_large_body_replaces_no_field_of_the_supervisor(box: SessionBox) -> None:
    branch = box.fork()[0]
    box.execute(FORGE, branch)
    forged = {"id": 1, "event": "ended", "branch": 0, "status": "ok", "exit_code": 0, "usage": {"cpu_time_s": -1.0}}
    body = forged | {"state": "lost", "memory_file": 5, "large": 3, "result": {"text/plain": "7"}, "error": None}
    number = box.send_code(
        f"body = json.dumps({body | {'data': {'text/plain': 'shown'}}}).encode()\n"
        "say_large({'display': True}, body)\nsay_large({'done': True, 'exit_code': 9}, body)",
        branch,
    )
    answer = box.wait(number)
    assert answer.displays == ({"text/plain": "shown"},)
    assert answer.text == "7"
    assert (answer.header["id"], answer.header["event"], answer.header["exit_code"]) == (number, "done", 9)
    assert (answer.header["status"], answer.header["state"]) == ("error", "kept")
    assert answer.header["usage"]["cpu_time_s"] >= 0.0
    assert "branch" not in answer.header
    assert box.execute("1 + 1").text == "2"


@pytest.mark.parametrize(
    "forgery",
    [
        # nested so deeply that it can be decoded, but not encoded again with more calls on the stack
        "for n in range(700, 1100): say({'display': True}, b'{\"data\":{\"x\":' + b'[' * n + b']' * n + b'}}')",
        "for n in range(700, 1100): say({'fork_failed': 'x'}, b'{\"x\":' + b'[' * n + b']' * n + b'}')",
        # three bytes that take six in a frame's header
        "say({'display': True}, b'{\"data\":{\"x\":\"' + '\u20ac'.encode() * 18_000 + b'\"}}')",
        "say({'display': True}, b'{\"data\":{\"x\":\"' + '\u20ac'.encode() * 40_000 + b'\"}}')",
        "say({'done': True, 'exit_code': int('9' * 4000)})",
        # more descriptors than the supervisor may have open
        "for _ in range(3000): say_large({'fork_failed': 'x'}, b'{}')",
    ],
)
def test_a_forged_message_leaves_the_supervisor_and_its_frames_intact(box: SessionBox, forgery: str) -> None:
    branch = box.fork()[0]
    box.execute(FORGE, branch)
    answer = box.execute(forgery, branch)
    assert answer.header["exit_code"] in {None, 0}, answer.header
    assert box.execute("1 + 1").text == "2"
    assert box.execute("2 + 2", box.fork()[0]).text == "4"


def test_another_branch_cannot_read_files_in_shared_directories(box: SessionBox) -> None:
    box.execute("import os\nopen('/tmp/mine', 'w').write('x')\nopen('/dev/shm/mine', 'w').write('x')")
    branch = box.fork()[0]
    for place in ("/tmp/mine", "/dev/shm/mine"):
        assert box.execute(f"open('{place}')", branch).header["error"]["type"] == "PermissionError"
        assert box.execute(f"os.unlink('{place}')", branch).header["error"]["type"] == "PermissionError"
    box.ask("close")
    assert box.execute("os.path.exists('/tmp/mine'), os.path.exists('/dev/shm/mine')", branch).text == "(False, False)"


def test_a_closed_branch_leaves_no_process_and_no_directory(box: SessionBox) -> None:
    box.execute("import os, subprocess\nsubprocess.Popen(['sleep', '99'], start_new_session=True)\nwork = os.getcwd()")
    box.execute("while True:\n    if os.fork(): break\nos.makedirs('/'.join('d' * 500))")
    branch = box.fork()[0]
    assert box.ask("close").header["closed"]
    code = """
names = [open(f'/proc/{process}/comm').read() for process in os.listdir('/proc') if process.isdigit()]
(os.path.exists(os.path.dirname(work)), [name for name in names if 'sleep' in name])
"""
    assert box.execute(code, branch).text == "(False, [])"
