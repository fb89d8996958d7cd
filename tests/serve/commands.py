"""`teal serve` and the commands that ask a host: the real command, against scripted sessions and against real ones."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time


def run_teal(build, folder, *words, env=None, timeout=60):
    environment = {k: v for k, v in os.environ.items() if k not in ("TEAL_HOST", "TEAL_KEY")}
    environment.update(env or {})
    return subprocess.run([os.path.join(build, "teal"), *words], cwd=folder, capture_output=True, text=True, timeout=timeout, env=environment)


class Host:
    """`teal serve` in a project of its own, on a port of its own."""

    def __init__(self, build, program, *flags, folder=None):
        self.build = build
        self.folder = folder or tempfile.mkdtemp(prefix="teal-host-")
        if program:
            with open(os.path.join(self.folder, "a.tl"), "w", encoding="utf-8") as file:
                file.write(program)
            with open(os.path.join(self.folder, "teal.yaml"), "w", encoding="utf-8") as file:
                file.write("main: a.tl\n")
        self.flags = flags
        self.begin()

    def begin(self):
        self.errors = open(os.path.join(self.folder, "errors"), "w+", encoding="utf-8")
        self.process = subprocess.Popen([os.path.join(self.build, "teal"), "serve", "--port", "0", *self.flags], cwd=self.folder,
                                        stdout=subprocess.PIPE, stderr=self.errors, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("ready http"):
            self.process.wait(20)
            raise AssertionError(f"no ready line but {line!r}: {self.said()}")
        self.url = line.split()[1]

    def said(self):
        self.errors.seek(0)
        return self.errors.read()

    def teal(self, *words, **more):
        return run_teal(self.build, self.folder, *words, **more)

    def kill(self):
        self.process.kill()
        self.process.wait(20)
        self.process.stdout.close()
        self.errors.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        code = None
        if self.process.poll() is None:
            self.process.terminate()
            try:
                code = self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
        if not self.process.stdout.closed:
            self.process.stdout.close()
            self.errors.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        if code not in (0, None):
            raise AssertionError(f"teal serve ended with {code}")


def expect(run, code, stdout=None, stderr_has=()):
    if run.returncode != code or (stdout is not None and run.stdout != stdout):
        raise AssertionError(f"expected {code} and {stdout!r}, found {run.returncode}\nstdout: {run.stdout}\nstderr: {run.stderr}")
    for text in [stderr_has] if isinstance(stderr_has, str) else stderr_has:
        if text not in run.stderr:
            raise AssertionError(f"expected {text!r} on stderr: {run.stderr}")
    return run


def same(found, wanted):
    if found != wanted:
        raise AssertionError(f"expected {wanted!r}, found {found!r}")


PROGRAM = """
fn main() { null }
fn add(a, b) {
  print("adding")
  a + b
}
fn bad(x) { raise("Oops", "it broke", {"x": x}) }
fn approval(name) {
  value = await event("approve")
  print("approved for " + name)
  value
}
fn slow(seconds) {
  print("one")
  sleep(seconds)
  print("two")
  "slept"
}
fn forever() { await event("never") }
fn clerk(n) {
  for i in range(n) {
    r = await request("ask")
    reply(r.reply, {"got": r.value, "turn": i})
  }
  sleep(1)
  n
}
"""

POISON = """
from k import end_host, double
fn poison() {
  print("before")
  end_host(1)
}
fn main() { double(21) }
"""

POISON_PYTHON = """
import os, signal, time
def end_host(x):
    time.sleep(1.5)
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)
def double(x):
    return 2 * x
"""


def add(case, build):
    def scripted(s):
        return {"TEAL_HOST": s.url, "TEAL_KEY": s.key}

    @case
    def commands_ask_a_host(s):
        teal = lambda *words: run_teal(build, s.folder, *words, env=scripted(s))
        sid = expect(teal("start", "never", "--id", "x 1", "--label", "team=blue"), 0).stdout.strip()
        expect(teal("start", "never", "--id", "x 1"), 0, sid + "\n")
        expect(teal("start", "never", "--id", "x 1", "--on-conflict", "reject"), 5, "", "there is a session")
        same(json.loads(expect(teal("--json", "start", "echo", "1"), 0).stdout)["status"] in ("running", "done"), True)
        expect(teal("start", "nosuch"), 2, "", "nosuch")
        expect(teal("start", "never", "--timeout", "soon"), 2, "", "no duration")
        expect(teal("invoke", "echo", "1", "two", '{"a":1.0}'), 0, '[1, "two", {"a": 1.0}]\n')
        expect(teal("invoke", "lines", "2"), 0, 'line 0 "ä"\nline 1 "ä"\n')
        expect(teal("invoke", "lines", "2", "--timeout", "30s"), 0, 'line 0 "ä"\nline 1 "ä"\n')
        answer = json.loads(expect(teal("invoke", "--json", "lines", "1"), 0).stdout)
        same((list(answer), answer["output"]), (["sid", "status", "result", "error", "output"], 'line 0 "ä"\n'))
        expect(teal("invoke", "fail"), 1, "", "K: it failed")
        expect(teal("invoke", "never", "--timeout", "100ms"), 1, "", "still running")
        expect(teal("wait", sid, "--timeout", "50ms"), 1, "", "still running")
        expect(teal("result", sid), 5, "", "no result yet")
        lines = expect(teal("sessions", "--status", "running", "--label", "team=blue"), 0).stdout.splitlines()
        same((len(lines), lines[0].split()[0], "team=blue" in lines[0]), (1, sid, True))
        same(json.loads(expect(teal("sessions", "--json", "--limit", "1", "--since", "1h"), 0).stdout)["status"], "running")
        tree = expect(teal("inspect", sid), 0).stdout
        same(["0  waiting  main  a.tl:3  waits for thread 0.1" in tree, 'x = [1, "two"]' in tree, "    0.1  waiting" in tree], [True] * 3)
        expect(teal("send", sid, "go", '{"a":1}'), 0, "")
        expect(teal("send", sid, "ask", "[1,2]", "--wait", "5s"), 0, "[1, 2]\n")
        expect(teal("send", sid, "mute", "--wait", "50ms"), 1, "", "no reply")
        expect(teal("pause", sid), 0, "")
        same(json.loads(expect(teal("--json", "resume", sid), 0).stdout), {"sid": sid, "status": "running"})
        expect(teal("cancel", sid), 0, "")
        expect(teal("terminate", sid), 5, "", "has ended")
        expect(teal("send", sid, "go"), 5, "", "has ended")
        expect(teal("wait", sid), 1, "", "cancelled")
        for words in (["wait", "none"], ["result", "none"], ["inspect", "none"], ["stdout", "none"], ["logs", "none", "-f"], ["send", "none", "x"], ["cancel", "none"]):
            expect(teal(*words), 4, "", "none")
        dead = expect(teal("start", "dead"), 0).stdout.strip()
        same(expect(teal("dead", "list"), 0).stdout.split()[:2], [dead, "dead"])
        same("dead: as asked" in expect(teal("dead", "show", dead), 0).stdout, True)
        expect(teal("dead", "retry", dead), 0, "")
        expect(teal("dead", "drop", dead), 5, "", "not dead")
        expect(teal("dead", "show", dead), 4)
        expect(teal("dead", "drop"), 2)
        ticks = expect(teal("start", "ticks", "20", "5"), 0).stdout.strip()
        expect(teal("stdout", ticks, "-f"), 0, "".join(f"tick {i}\n" for i in range(5, 0, -1)))
        expect(teal("stdout", ticks), 0, "".join(f"tick {i}\n" for i in range(5, 0, -1)))
        same(len(expect(teal("--json", "history", ticks), 0).stdout.splitlines()), 5)
        same("step  step=0" in expect(teal("history", ticks), 0).stdout, True)

    @case
    def commands_without_a_host_or_a_key(s):
        teal = lambda *words, **env: run_teal(build, s.folder, *words, env=env)
        expect(teal("sessions"), 3, "", ["no host serves", "teal serve"])
        expect(teal("sessions", TEAL_HOST="http://127.0.0.1:1"), 3, "", "cannot be reached")
        expect(teal("sessions", TEAL_HOST="ftp://x"), 2, "", "no address of a host")
        expect(teal("sessions", TEAL_HOST=s.url, TEAL_KEY="teal_" + "0" * 64), 5, "", "nobody has this key")
        expect(teal("sessions", "--key", s.key, TEAL_HOST=s.url), 0)
        error = json.loads(expect(teal("--json", "sessions", TEAL_HOST="http://127.0.0.1:1"), 3).stdout)
        same("cannot be reached" in error["message"], True)
        expect(teal("wait"), 2, "", "SID")
        expect(teal("start", "f", "--nosuch"), 2, "", "nosuch")
        for command in ("serve", "start", "invoke", "wait", "result", "sessions", "inspect", "stdout", "logs", "history", "send", "cancel", "terminate", "pause", "resume", "keys"):
            same("Example: teal " + command in expect(teal(command, "--help"), 0).stdout, True)

    @case
    def an_interrupted_command_ends_with_130(s):
        process = subprocess.Popen([os.path.join(build, "teal"), "invoke", "never"], cwd=s.folder, env=dict(os.environ, **scripted(s)),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        end = time.monotonic() + 20
        while s.metric("teal_http_waits") == 0 and time.monotonic() < end:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=20)
        same((process.returncode, "goes on" in errors), (130, True))

    @case
    def serve_refuses_what_cannot_be_served(_):
        folder = tempfile.mkdtemp(prefix="teal-host-")
        teal = lambda *words: run_teal(build, folder, *words)
        expect(teal("serve"), 2, "", "which program?")
        expect(teal("serve", "none.tl"), 2)
        with open(os.path.join(folder, "a.tl"), "w", encoding="utf-8") as file:
            file.write("fn main( {")
        expect(teal("serve", "a.tl"), 2, "", "a.tl:1")
        with open(os.path.join(folder, "a.tl"), "w", encoding="utf-8") as file:
            file.write("fn main() { 1 }\n")
        expect(teal("serve", "a.tl", "--listen", "nowhere"), 2, "", "--listen")
        expect(teal("serve", "a.tl", "--listen", "example:80"), 2, "", "no IP address")
        expect(teal("serve", "a.tl", "--tls-cert", "x"), 2)
        expect(teal("serve", "a.tl", "--port", "70000"), 2)
        with open(os.path.join(folder, ".teal", "key"), "w", encoding="utf-8") as file:
            file.write("short\n")
        expect(teal("serve", "a.tl", "--port", "0"), 2, "", "holds no key")
        shutil.rmtree(folder)

    @case
    def serving_a_program(_):
        with Host(build, PROGRAM) as host:
            expect(host.teal("invoke", "add", "1", "2"), 0, "adding\n3\n")
            expect(host.teal("invoke", "bad", "7"), 1, "", ["Oops: it broke", "a.tl:7 bad"])
            expect(host.teal("invoke", "add", "1"), 2, "", "add")
            expect(host.teal("start", "nosuch"), 2)
            sid = expect(host.teal("start", "approval", '"Ada"', "--id", "order-7"), 0).stdout.strip()
            expect(host.teal("send", sid, "approve", "5"), 0, "")
            expect(host.teal("wait", sid, "--timeout", "20s"), 0, "5\n")
            expect(host.teal("stdout", sid), 0, "approved for Ada\n")
            expect(host.teal("start", "approval", '"Ada"', "--id", "order-7"), 0, sid + "\n")
            sid = expect(host.teal("start", "forever"), 0).stdout.strip()
            end = time.monotonic() + 15
            while "event" not in host.teal("inspect", sid).stdout and time.monotonic() < end:
                time.sleep(0.1)
            same('event("never")' in expect(host.teal("inspect", sid), 0).stdout, True)
            expect(host.teal("cancel", sid), 0)
            expect(host.teal("wait", sid, "--timeout", "20s"), 1, "", "cancel")
            expect(host.teal("serve", "--port", "0"), 2, "", "open; only one may")
            mode = lambda name: oct(os.stat(os.path.join(host.folder, ".teal", name)).st_mode & 0o777)
            same((mode("."), mode("key"), mode("data")), ("0o700", "0o600", "0o700"))

    @case
    def requests_have_their_replies(_):
        with Host(build, PROGRAM) as host:
            sid = expect(host.teal("start", "clerk", "2"), 0).stdout.strip()
            expect(host.teal("send", sid, "ask", '"first"', "--wait", "30s"), 0, '{"got": "first", "turn": 0}\n')
            expect(host.teal("send", sid, "other", "1", "--wait", "100ms"), 1, "", "no reply within 100ms")
            answer = json.loads(expect(host.teal("--json", "send", sid, "ask", "2", "--wait", "30s"), 0).stdout)
            same(answer, {"sid": sid, "reply": {"got": 2, "turn": 1}})
            # Nobody takes it before the session ends.
            expect(host.teal("send", sid, "ask", "3", "--wait", "30s"), 5, "", "has ended")
            expect(host.teal("send", sid, "ask", "4", "--wait", "30s"), 5, "", "has ended")

    @case
    def history_tells_what_happened(_):
        with Host(build, PROGRAM) as host:
            sid = expect(host.teal("start", "slow", "0.3"), 0).stdout.strip()
            expect(host.teal("wait", sid, "--timeout", "30s"), 0)
            lines = [line.split("  ", 2)[1:] for line in expect(host.teal("history", sid), 0).stdout.splitlines()]
            same([line[1].split("  ")[0] for line in lines], ["started", "parked", "woken", "ended"])
            same((lines[0], lines[3]), (["0", 'started  function="slow"'], ["0", 'ended  status="done"']))
            sid = expect(host.teal("start", "forever"), 0).stdout.strip()
            expect(host.teal("pause", sid), 0)
            expect(host.teal("resume", sid), 0)
            expect(host.teal("cancel", sid), 0)
            expect(host.teal("wait", sid, "--timeout", "30s"), 1)
            text = expect(host.teal("history", sid), 0).stdout
            for what in ("paused  reason=", "resumed", "cancelled", "failed  error=", 'ended  status="cancelled"'):
                same(what in text, True)

    @case
    def running_a_session_again(_):
        with Host(build, PROGRAM) as host:
            sid = expect(host.teal("start", "add", "1", '"2"', "--label", "team=blue"), 0).stdout.strip()
            expect(host.teal("wait", sid, "--timeout", "30s"), 1)
            sid = expect(host.teal("start", "add", "1", "2", "--label", "team=blue"), 0).stdout.strip()
            again = expect(host.teal("rerun", sid, "--from", "start"), 0).stdout.strip()
            same((len(again), again != sid), (26, True))
            expect(host.teal("wait", again, "--timeout", "30s"), 0, "3\n")
            same(f"rerun_of={sid}" in host.teal("sessions", "--label", "team=blue").stdout, True)
            expect(host.teal("rerun", sid, "--from", "7"), 2, "", "no state of step 7")
            expect(host.teal("rerun", sid), 2)
            expect(host.teal("rerun", "a" * 26, "--from", "start"), 4)

    @case
    def a_session_that_ends_its_host_is_set_aside(_):
        folder = tempfile.mkdtemp(prefix="teal-host-")
        with open(os.path.join(folder, "k.py"), "w", encoding="utf-8") as file:
            file.write(POISON_PYTHON)
        with Host(build, POISON, folder=folder) as host:
            host.teal("start", "poison", "--id", "poison")
            for life in range(3):
                same(host.process.wait(30), -9)
                host.process.stdout.close()
                host.errors.close()
                host.begin()
            sid = expect(host.teal("start", "poison", "--id", "poison"), 0).stdout.strip()
            end = time.monotonic() + 20
            while not host.teal("dead", "list").stdout and time.monotonic() < end:
                time.sleep(0.1)
            same(expect(host.teal("dead", "list"), 0).stdout.split()[:2], [sid, "dead"])
            same("3 times" in expect(host.teal("dead", "show", sid), 0).stdout, True)
            same("3 times" in host.said(), True)
            expect(host.teal("wait", sid), 1, "", "dead")
            expect(host.teal("resume", sid), 5, "", "teal dead retry")
            expect(host.teal("stdout", sid), 0, "before\n")
            expect(host.teal("invoke", "main"), 0, "42\n")
            expect(host.teal("dead", "drop", sid), 0, "")
            expect(host.teal("dead", "list"), 0, "")
            expect(host.teal("dead", "retry", sid), 5)
            same(json.loads(expect(host.teal("--json", "result", sid), 1).stdout)["status"], "terminated")
            # One that only rests while its host is killed has nothing to do with it.
            sid = expect(host.teal("start", "main"), 0).stdout.strip()
            expect(host.teal("wait", sid, "--timeout", "30s"), 0, "42\n")

    @case
    def a_host_that_is_killed_loses_nothing(_):
        with Host(build, PROGRAM) as host:
            sid = expect(host.teal("start", "slow", "2"), 0).stdout.strip()
            time.sleep(0.5)
            host.kill()
            expect(host.teal("result", sid), 3, "", "cannot be reached")
            host.begin()
            expect(host.teal("wait", sid, "--timeout", "30s"), 0, '"slept"\n')
            expect(host.teal("stdout", sid), 0, "one\ntwo\n")

    @case
    def a_run_that_is_kept_goes_on_where_it_was(_):
        folder = tempfile.mkdtemp(prefix="teal-run-")
        with open(os.path.join(folder, "a.tl"), "w", encoding="utf-8") as file:
            file.write('fn main(n) {\n  for i in range(n) {\n    print(i)\n    sleep(0.4)\n  }\n  "end"\n}\n')
        expect(run_teal(build, folder, "run", "--memory", "local", "a.tl", "2"), 0, '0\n1\n"end"\n')
        same(json.loads(expect(run_teal(build, folder, "--json", "run", "--memory", "local", "a.tl", "1"), 0).stdout)["output"], "0\n")
        expect(run_teal(build, folder, "run", "--memory", "local", "a.tl"), 2, "", "takes 1 argument")
        expect(run_teal(build, folder, "run", "--memory", "elsewhere", "a.tl", "1"), 2, "", "elsewhere")
        expect(run_teal(build, folder, "run", "--resume", "nosuch"), 4, "", "no session")
        # Killed: what was printed before is not printed again.
        with open(os.path.join(folder, "told"), "w+", encoding="utf-8") as told:
            words = [os.path.join(build, "teal"), "--verbose", "run", "--memory", "local", "a.tl", "6"]
            run = subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, stderr=told, text=True)
            same([run.stdout.readline(), run.stdout.readline()], ["0\n", "1\n"])
            run.kill()
            run.wait(20)
            rest = run.stdout.read()
            told.seek(0)
            sid = next(line for line in told.read().splitlines() if line.startswith("teal: session ")).split()[-1]
        resumed = expect(run_teal(build, folder, "run", "--resume", sid), 0).stdout
        same("0\n1\n" + rest + resumed, '0\n1\n2\n3\n4\n5\n"end"\n')
        expect(run_teal(build, folder, "run", "--resume", sid), 0)
        shutil.rmtree(folder)

    @case
    def stopping_and_stopping_at_once(_):
        with Host(build, PROGRAM) as host:
            sid = expect(host.teal("start", "slow", "60"), 0).stdout.strip()
            same(os.path.exists(os.path.join(host.folder, ".teal", "host")), True)
            host.process.terminate()
            same(host.process.wait(30), 0)
            same(os.path.exists(os.path.join(host.folder, ".teal", "host")), False)
            expect(host.teal("result", sid), 3, "", "no host serves")
            host.process.stdout.close()
            host.errors.close()
            host.begin()
            expect(host.teal("result", sid), 5, "", "no result yet")

    @case
    def keys_by_command(_):
        with Host(build, PROGRAM) as host:
            key = expect(host.teal("keys", "new", "board", "--role", "read"), 0).stdout.strip()
            expect(host.teal("keys", "new", "board"), 5, "", "already")
            same(json.loads(expect(host.teal("keys", "list", "--json"), 0).stdout)["role"], "read")
            end = time.monotonic() + 10
            while host.teal("sessions", "--key", key).returncode != 0 and time.monotonic() < end:
                time.sleep(0.2)
            expect(host.teal("sessions", "--key", key), 0)
            expect(host.teal("start", "add", "1", "2", "--key", key), 5, "", "read")
            expect(host.teal("keys", "revoke", "board"), 0)
            expect(host.teal("keys", "revoke", "board"), 4, "", "no key board")
            end = time.monotonic() + 10
            while host.teal("sessions", "--key", key).returncode == 0 and time.monotonic() < end:
                time.sleep(0.2)
            expect(host.teal("sessions", "--key", key), 5)

    @case
    def commands_over_tls(_):
        folder = tempfile.mkdtemp(prefix="teal-host-")
        files = ["--tls-cert", os.path.join(folder, "t.pem"), "--tls-key", os.path.join(folder, "t.key")]
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=teal",
                        "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", files[3], "-out", files[1]], check=True, capture_output=True, timeout=60)
        with Host(build, PROGRAM, *files, folder=folder) as host:
            same(host.url.startswith("https://"), True)
            expect(host.teal("invoke", "add", "20", "22"), 0, "adding\n42\n")
            expect(host.teal("sessions", env={"TEAL_HOST": host.url}), 3, "", "not to be trusted")

    @case
    def doctor_says_what_to_do(_):
        with Host(build, "fn f() { 1 }") as host:
            run = host.teal("doctor", "--json")
            same(run.returncode, 0)
            found = {line["check"]: line for line in map(json.loads, run.stdout.splitlines())}
            for check in ("teal", "project", "python", "plugin", "disk", "limits", "host"):
                same((check, found[check]["status"], found[check]["hint"]), (check, "ok", None))
            same(found["host"]["found"], host.url + " answers")
            refused = host.teal("doctor", "--key", "wrong")
            same(refused.returncode, 1)
            assert "error    host" in refused.stdout and "does not take the key" in refused.stdout, refused.stdout
            host.kill()
            gone = host.teal("doctor")
            same(gone.returncode, 1)
            assert "cannot be reached" in gone.stdout and "teal serve" in gone.stdout, gone.stdout
            with open(os.path.join(host.folder, "teal.yaml"), "w", encoding="utf-8") as file:
                file.write("python: {interpreter: /no/such/python}\n")
            broken = host.teal("doctor")
            same(broken.returncode, 1)
            assert "error    python" in broken.stdout and "install Python 3.8 or later" in broken.stdout, broken.stdout
            with open(os.path.join(host.folder, "teal.yaml"), "w", encoding="utf-8") as file:
                file.write("main: [\n")
            broken = host.teal("doctor")
            same(broken.returncode, 1)
            assert "error    project" in broken.stdout and "teal.yaml:" in broken.stdout, broken.stdout
