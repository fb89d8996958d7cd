"""What processes that hang are doing: run_watched runs a command with a time limit and says so when it is over."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

GDB_SECONDS = 60


def family(root):
    """The processes that came of one: its session (in the sense of setsid), what it started, and so on. Oldest first."""
    parents, sessions = {}, {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            # "pid (name) state parent group session …"; the name may hold spaces and brackets.
            words = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended meanwhile
        parents[int(folder.name)], sessions[int(folder.name)] = int(words[1]), int(words[3])
    found, before = {root}, set()
    while found != before:
        before = set(found)
        found |= {pid for pid in parents if parents[pid] in before or sessions[pid] in before}
    return sorted(pid for pid in found if pid in parents)


def end_family(root):
    for pid in family(root):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def read(path):
    try:
        return Path(path).read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
    except OSError:
        return "?"


def describe(pid):
    """The command of a process, and where each of its OS threads is: with gdb all frames, else what it waits for."""
    text = "process %d: %s\n" % (pid, read("/proc/%d/cmdline" % pid))
    if shutil.which("gdb"):
        command = ["gdb", "-p", str(pid), "-batch", "-nx", "-ex", "set pagination off", "-ex", "thread apply all bt 30"]
        try:
            ran = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                 timeout=GDB_SECONDS)
            return text + ran.stdout.decode("utf-8", "replace")[-6000:] + "\n"
        except subprocess.TimeoutExpired:
            text += "(gdb gave nothing in %d s)\n" % GDB_SECONDS
    for task in sorted(os.listdir("/proc/%d/task" % pid) if os.path.isdir("/proc/%d/task" % pid) else []):
        place = "/proc/%d/task/%s/" % (pid, task)
        text += "  OS thread %s: in %s, system call %s\n" % (task, read(place + "wchan"), read(place + "syscall"))
    return text


class Hung(Exception):
    """str() says what every process was doing. stdout and stderr hold what had been written."""

    def __init__(self, seconds, where, stdout, stderr):
        super().__init__("did not end within %g s\n%s" % (seconds, where))
        self.stdout, self.stderr = stdout, stderr


def run_watched(command, seconds, **options):
    """As subprocess.run(command, stdout=PIPE, stderr=PIPE), in a session of its own. Raises Hung when the time is over,
    after ending every process that came of it."""
    options.setdefault("stdin", subprocess.DEVNULL)
    options.setdefault("stdout", subprocess.PIPE)
    options.setdefault("stderr", subprocess.PIPE)
    with subprocess.Popen(command, start_new_session=True, **options) as process:
        try:
            stdout, stderr = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            where = "".join(describe(pid) for pid in family(process.pid))
            end_family(process.pid)
            stdout, stderr = process.communicate()
            raise Hung(seconds, where, stdout, stderr) from None
        except BaseException:
            end_family(process.pid)
            raise
    return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)
