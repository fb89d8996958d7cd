"""Programs with their Python code: what a session keeps, activating, removing, reloading. The real command and workers."""

import base64
import http.client
import http.server
import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
import zipfile

from commands import Host, expect, run_teal, same

PROGRAM = """
import(version, src.steps, 0)
fn main() { version() }
fn twice() {
  first = version()
  await event("go")
  [first, version()]
}
"""


def steps(text, more=""):
    return f"import os\n{more}\ndef version():\n    return {text!r}\n"


class Project(Host):
    """A host of a project with Python code; the code is not there until it is written."""

    def __init__(self, build, text, *flags, program=PROGRAM, more=""):
        folder = tempfile.mkdtemp(prefix="teal-programs-")
        os.makedirs(os.path.join(folder, "src"))
        self.folder = folder
        self.write(text, more)
        self.command = "serve"
        super().__init__(build, program, *flags, folder=folder)

    def write(self, text, more=""):
        with open(os.path.join(self.folder, "src/steps.py"), "w", encoding="utf-8") as file:
            file.write(steps(text, more))

    def ask(self, method, path, body=None, key=None):
        address = self.url.split("//")[1]
        connection = http.client.HTTPConnection(address, timeout=60)
        with open(os.path.join(self.folder, ".teal/key"), encoding="ascii") as file:
            sent = {"x-teal-key": key or file.read().strip()}
        connection.request(method, "/teal/v1" + path, body=None if body is None else json.dumps(body), headers=sent)
        response = connection.getresponse()
        answer = json.loads(response.read())
        connection.close()
        return response.status, answer

    def stop(self):
        self.process.terminate()
        same(self.process.wait(30), 0)
        self.process.stdout.close()
        self.errors.close()

    def again(self, *flags):
        self.stop()
        self.flags = flags
        self.begin()

    def versions(self):
        return [json.loads(line) for line in expect(self.teal("--json", "versions"), 0).stdout.splitlines()]

    def active(self):
        return next(v["hash"] for v in self.versions() if v["active"])

    def waits(self, sid):
        """Until it waits for its event: the first step is behind it."""
        self.until(lambda: 'event("go")' in self.teal("inspect", sid).stdout, "it waits")

    def until(self, condition, what, seconds=30):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise AssertionError(f"not within {seconds} s: {what}\n{self.said()}")
            time.sleep(0.05)

    def package(self):
        return os.listdir(os.path.join(self.folder, ".teal/data/packages"))


def add(case, build):
    @case
    def a_session_keeps_its_python(_):
        with Project(build, "one") as h:
            first = h.active()
            sid = expect(h.teal("start", "twice"), 0).stdout.strip()
            h.waits(sid)
            h.write("two")
            expect(h.teal("invoke", "main"), 0, '"one"\n')  # edited, and not started again
            h.again()
            expect(h.teal("invoke", "main"), 0, '"two"\n')
            same([(v["active"], v["sessions"]) for v in h.versions()], [(True, 0), (False, 1)])
            expect(h.teal("versions", "remove", first[:8]), 5, "", "in use")
            same(len(h.versions()), 2)
            shutil.rmtree(os.path.join(h.folder, "src"))  # the working tree is of no use to it
            expect(h.teal("send", sid, "go"), 0)
            expect(h.teal("wait", sid), 0, '["one", "one"]\n')
            h.kill()
            os.makedirs(os.path.join(h.folder, "src"))
            h.write("two")
            h.begin()
            expect(h.teal("invoke", "main"), 0, '"two"\n')
            expect(h.teal("versions", "remove", first), 0)
            same(len(h.versions()), 1)
            h.until(lambda: len(h.package()) == 1, "its copy goes")

    @case
    def rolling_back(_):
        with Project(build, "one") as h:
            first = h.active()
            h.write("two")
            added = expect(h.teal("versions", "add"), 0).stdout.strip()
            same((h.active(), sorted(v["hash"] for v in h.versions())), (first, sorted([first, added])))
            expect(h.teal("invoke", "main"), 0, '"one"\n')
            expect(h.teal("versions", "activate", added[:10]), 0)
            expect(h.teal("invoke", "main"), 0, '"two"\n')
            expect(h.teal("versions", "remove", added), 5, "", "is active")
            expect(h.teal("versions", "activate", first), 0)
            expect(h.teal("invoke", "main"), 0, '"one"\n')
            listed = expect(h.teal("versions"), 0).stdout.splitlines()
            same([(line[:12], "  active  " in line) for line in listed], [(added[:12], False), (first[:12], True)])
            # Without a program the host goes on with what was activated; with one it takes the working tree's.
            os.remove(os.path.join(h.folder, "teal.yaml"))
            h.again()
            same(h.active(), first)
            expect(h.teal("invoke", "main"), 0, '"one"\n')
            h.again("a.tl")
            expect(h.teal("invoke", "main"), 0, '"two"\n')
            expect(h.teal("versions", "remove", first), 0)

    @case
    def versions_that_are_wrong(_):
        with Project(build, "one") as h:
            first = h.active()
            executable = upload(h)["executable"]
            parts = lambda text: {"executable": executable, "package": package_of(text)}
            expect(h.teal("versions", "activate", "zz"), 2, "", "is no hash")
            missing = ("0" if first[0] != "0" else "1") * 5
            expect(h.teal("versions", "activate", missing), 4, "", "has no version")
            expect(h.teal("versions", "remove", missing), 4, "", "has no version")
            hashes, number = [first], 0
            while len({x[0] for x in hashes}) == len(hashes):  # until two begin with the same digit
                number += 1
                status, answer = h.ask("POST", "/programs", {"name": "n", **parts(f"v{number}")})
                same(status, 201)
                hashes.append(answer["hash"])
            expect(h.teal("versions", "activate", hashes[-1][0]), 2, "", "versions begin with")
            for body, status, text in (
                ({}, 400, '"executable" is missing'),
                ({"executable": "AAAA"}, 400, "executable: "),
                ({"executable": "no base64"}, 400, "is no Base64"),
                ({"executable": 7}, 400, "is a string"),
                ({"exe": "AAAA"}, 400, "there is no field"),
                ({**parts("x"), "package": "AAAA"}, 400, "package: the package is damaged"),
                ({**parts("x"), "package": None}, 422, "there is no package"),
                ({**parts("x"), "package": text64(b"teal package 1\n")}, 422, "no Python module"),
                ({**parts("x"), "package": text64(b"teal package 1\n\x0a\x09\x0a\x04/a.y\x12\x01x")}, 400, "is absolute"),
                ({**parts("x"), "activate": 1}, 400, "true or false"),
            ):
                found, answer = h.ask("POST", "/programs", body)
                same((found, text in answer["error"]["message"]), (status, True))
            same(h.ask("POST", f"/programs/{'0' * 64}/activate")[0], 404)
            same(h.ask("DELETE", "/programs/short")[0], 404)
            same(h.ask("POST", "/programs", {"name": "n", **parts("v1")})[0], 200)  # it was there
            key = expect(h.teal("keys", "new", "o", "--role", "operate"), 0).stdout.strip()
            h.until(lambda: h.ask("GET", "/programs", key=key)[0] == 200, "the key is known")
            for method, path in (("POST", "/programs"), ("POST", f"/programs/{first}/activate"), ("DELETE", f"/programs/{first}")):
                same(h.ask(method, path, key=key)[0], 403)

    @case
    def a_missing_package_pauses(_):
        with Project(build, "one") as h:
            sid = expect(h.teal("start", "twice"), 0).stdout.strip()
            other = expect(h.teal("start", "twice"), 0).stdout.strip()
            h.waits(sid)
            h.waits(other)
            packages = os.path.join(h.folder, ".teal/data/packages")
            os.remove(os.path.join(h.folder, "teal.yaml"))
            with open(os.path.join(h.folder, "b.tl"), "w", encoding="utf-8") as file:
                file.write("fn main() { null }\n")
            h.stop()
            # Gone: it is made again from the store.
            shutil.rmtree(packages)
            h.flags = ("b.tl",)
            h.begin()
            expect(h.teal("send", other, "go"), 0)
            expect(h.teal("wait", other), 0, '["one", "one"]\n')
            same(len(h.package()), 1)
            h.stop()
            # It cannot be made.
            shutil.rmtree(packages)
            with open(packages, "w", encoding="utf-8"):
                pass
            h.begin()
            expect(h.teal("send", sid, "go"), 0)
            status, session = h.ask("GET", f"/sessions/{sid}")
            same((status, session["status"], session["pause_reason"]), (200, "paused", "package_missing"))
            expect(h.teal("resume", sid), 5, "", "cannot go on")
            same("package_missing" in h.teal("inspect", sid).stdout, True)
            same(f"the session {sid} is paused, package_missing" in h.said(), True)
            h.again("b.tl")
            same(h.ask("GET", f"/sessions/{sid}")[1]["status"], "paused")
            same("a.tl:" in h.teal("inspect", sid).stdout, True)
            os.remove(packages)
            expect(h.teal("resume", sid), 0)
            expect(h.teal("wait", sid), 0, '["one", "one"]\n')

    @case
    def requirements_are_installed(_):
        with tempfile.TemporaryDirectory(prefix="teal-wheel-") as wheels:
            with zipfile.ZipFile(os.path.join(wheels, "greeting-1.0-py3-none-any.whl"), "w") as wheel:
                wheel.writestr("greeting.py", "TEXT = 'hello from the wheel'\n")
                wheel.writestr("greeting-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n")
                wheel.writestr("greeting-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
                wheel.writestr("greeting-1.0.dist-info/RECORD", "greeting.py,,\ngreeting-1.0.dist-info/METADATA,,\ngreeting-1.0.dist-info/WHEEL,,\n"
                               "greeting-1.0.dist-info/RECORD,,\n")
            with Project(build, "one") as h:
                lock = os.path.join(h.folder, "requirements.txt")
                program = os.path.join(h.folder, "src/steps.py")
                with open(program, "w", encoding="utf-8") as file:
                    file.write("import greeting\n\ndef version():\n    return greeting.TEXT\n")
                expect(h.teal("versions", "add", "--activate"), 2, "", "greeting")
                with open(lock, "w", encoding="utf-8") as file:
                    file.write(f"--no-index\n--find-links {wheels}\ngreeting==1.0\n")
                expect(h.teal("versions", "add", "--activate", timeout=600), 0)
                expect(h.teal("invoke", "main"), 0, '"hello from the wheel"\n')
                shutil.rmtree(wheels)
                os.makedirs(wheels)
                h.again()  # the environment is there: nothing is installed again
                expect(h.teal("invoke", "main"), 0, '"hello from the wheel"\n')
                h.stop()
                python = os.path.join(h.folder, "python")
                with open(python, "w", encoding="utf-8") as file:
                    file.write('#!/bin/sh\n[ "$1" = -c ] && exec echo another\necho no venv here >&2\nexit 1\n')
                os.chmod(python, 0o755)
                with open(os.path.join(h.folder, "teal.yaml"), "a", encoding="utf-8") as file:
                    file.write("python: {interpreter: ./python}\n")
                expect(run_teal(build, h.folder, "serve", "--port", "0"), 2, "", ["python -m venv", "no venv here"])

    @case
    def errors_name_the_projects_files(_):
        with Project(build, "one", more="def broken():\n    raise KeyError('gone')\n",
                     program='import(broken, src.steps, 0)\nfn main() { broken() }\n') as h:
            run = expect(h.teal("invoke", "main"), 1, "", "src/steps.py:3")
            same("packages/" in run.stderr, False)
            h.stop()
            h.write("one", more="import nosuchmodule\n")
            run = run_teal(build, h.folder, "serve", "--port", "0")
            expect(run, 2, "", ["src/steps.py", "nosuchmodule"])
            same("data/packages" in run.stderr, False)

    @case
    def run_keeps_its_python(_):
        folder = tempfile.mkdtemp(prefix="teal-programs-")
        try:
            with open(os.path.join(folder, "a.tl"), "w", encoding="utf-8") as file:
                file.write("import(version, steps, 0)\nfn main() {\n  print(version())\n  sleep(4)\n  version()\n}\n")
            with open(os.path.join(folder, "steps.py"), "w", encoding="utf-8") as file:
                file.write(steps("one"))
            process = subprocess.Popen([os.path.join(build, "teal"), "run", "--memory", "local", "a.tl"], cwd=folder, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, text=True)
            same(process.stdout.readline(), "one\n")
            process.terminate()
            _, errors = process.communicate(timeout=30)
            sid = errors.split("--resume ")[1].split()[0]
            os.remove(os.path.join(folder, "steps.py"))
            same(expect(run_teal(build, folder, "run", "--resume", sid), 0).stdout.splitlines()[-1], '"one"')
        finally:
            shutil.rmtree(folder)

    @case
    def a_host_without_a_program(_):
        folder = tempfile.mkdtemp(prefix="teal-programs-")
        expect(run_teal(build, folder, "serve", "--port", "0"), 2, "", "which program?")
        same(os.listdir(folder), [])
        with Host(build, None, "--empty", folder=folder) as h:
            with open(os.path.join(folder, "a.tl"), "w", encoding="utf-8") as file:
                file.write("fn main() { 7 }\n")
            same(expect(h.teal("versions"), 0).stdout, "")
            expect(h.teal("versions", "add", "a.tl", "--activate"), 0)
            expect(h.teal("invoke", "main"), 0, "7\n")

    @case
    def dev_takes_what_is_written(_):
        with Project(build, "one") as h:
            h.stop()
            for flag in ("--debug", "--time-skip"):
                expect(h.teal("dev", flag), 2, "", flag + " is not in this version")
            h.errors = open(os.path.join(h.folder, "errors"), "w+", encoding="utf-8")
            h.process = subprocess.Popen([os.path.join(build, "teal"), "dev", "--port", "0"], cwd=h.folder, stdout=subprocess.PIPE, stderr=h.errors,
                                         text=True)
            h.url = h.process.stdout.readline().split()[1]
            sid = expect(h.teal("start", "twice"), 0).stdout.strip()
            h.waits(sid)
            first = h.active()
            h.write("two")
            h.until(lambda: h.active() != first, "the Python code is taken")
            expect(h.teal("invoke", "main"), 0, '"two"\n')
            second = h.active()
            program = os.path.join(h.folder, "a.tl")
            with open(program, "w", encoding="utf-8") as file:
                file.write("fn main( {\n")
            h.until(lambda: "a.tl:1:" in h.said(), "what is wrong is told")
            expect(h.teal("invoke", "main"), 0, '"two"\n')
            with open(program, "w", encoding="utf-8") as file:
                file.write(PROGRAM.replace("fn main() { version() }", 'fn main() { "now " + version() }'))
            h.until(lambda: h.active() != second, "the program is taken")
            expect(h.teal("invoke", "main"), 0, '"now two"\n')
            h.until(lambda: second not in [v["hash"] for v in h.versions()], "what nothing uses goes")
            same(first in [v["hash"] for v in h.versions()], True)
            expect(h.teal("send", sid, "go"), 0)
            expect(h.teal("wait", sid), 0, '["one", "one"]\n')


def text64(data):
    return base64.b64encode(data).decode()


def package_of(text):
    """As docs/formats/package.md has it: the Python code of another version."""
    path, body = b"src/steps.py", steps(text).encode()
    inner = b"\x0a" + bytes([len(path)]) + path + b"\x12" + bytes([len(body)]) + body
    assert len(inner) < 128
    return text64(b"teal package 1\n\x0a" + bytes([len(inner)]) + inner)


def upload(h):
    """What `teal versions add` sends to a host."""
    bodies = []

    class Taker(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(201)
            answer = b'{"hash":"taken"}'
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Taker) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        expect(h.teal("versions", "add", env={"TEAL_HOST": f"http://127.0.0.1:{server.server_port}", "TEAL_KEY": "k"}), 0, "taken\n")
        thread.join()
    return bodies[0]
