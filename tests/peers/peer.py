"""What the scripts of this folder share: a cache that is filled once, servers on loopback that are started and stopped by id.

Each script `tests/peers/<server>` has two commands. `start DIR [options]` starts a server whose data and logs are in DIR and
prints one line of JSON once it answers: {"port": …, "pid": …} and what a client needs. `stop DIR` ends that very process.
Downloads are kept in the user's cache, ~/.cache/teal/peers (TEAL_PEERS names another place), since they outlive a build, and
are made only once, also by racing callers.
"""

import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
CACHE = Path(os.environ.get("TEAL_PEERS") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "teal" / "peers")


class PeerError(Exception):
    """A peer that cannot be had or does not start; its text says what to do."""


@contextlib.contextmanager
def filling(name):
    """Holds the lock of cache folder `name`; gives (folder, done). When `done` exists the folder is whole."""
    folder = CACHE / name
    folder.mkdir(parents=True, exist_ok=True)
    with open(CACHE / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder, folder / ".done"


def command(arguments, **options):
    """Runs a tool; a failure carries the end of what it said."""
    try:
        run = subprocess.run([str(a) for a in arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, errors="replace", **options)
    except FileNotFoundError:
        raise PeerError(f"{arguments[0]} is not installed; scripts/install-deps lists what the tests need") from None
    if run.returncode != 0:
        raise PeerError(f"{' '.join(str(a) for a in arguments)} failed:\n{run.stdout[-3000:]}")
    return run.stdout


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(url):
    """Whether an HTTP server answers there, with whatever status."""
    try:
        urllib.request.urlopen(url, timeout=2).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def start_server(directory, arguments, ready, extra, seconds=60, **options):
    """Starts a server of which `ready()` tells when it answers; prints its JSON."""
    directory = Path(directory)
    log = open(directory / "server.log", "ab")
    process = subprocess.Popen([str(a) for a in arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                               start_new_session=True, **options)
    end = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None or time.monotonic() > end:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            tail = (directory / "server.log").read_text(errors="replace")[-2000:]
            raise PeerError(f"{arguments[0]} did not start:\n{tail}")
        time.sleep(0.05)
    facts = {"pid": process.pid, **extra}
    (directory / "server.json").write_text(json.dumps(facts))
    print(json.dumps(facts), flush=True)


def stop_server(directory):
    """Ends the server of `directory`; fine if it is gone."""
    path = Path(directory) / "server.json"
    if not path.exists():
        return
    pid = json.loads(path.read_text())["pid"]
    path.unlink()
    for number, seconds in ((signal.SIGTERM, 10), (signal.SIGKILL, 5)):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return
            time.sleep(0.05)


def venv(name, packages):
    """A virtual environment of `packages` (pinned); gives its bin folder."""
    with filling(name) as (folder, done):
        if not done.exists() or done.read_text() != "\n".join(packages):
            command([sys.executable, "-m", "venv", "--clear", folder / "venv"])
            command([folder / "venv/bin/pip", "install", "-q", *packages])
            done.write_text("\n".join(packages))
        return folder / "venv" / "bin"


def aws_tools():
    """The bin folder of an environment with moto, boto3 and botocore's service models."""
    return venv("moto", ["moto[server]==5.2.5", "boto3==1.44.5", "botocore==1.44.5"])


def main(start, install):
    """The command line of every script here; `start(DIR, options)`, `install()`."""
    try:
        if len(sys.argv) >= 3 and sys.argv[1] == "start":
            Path(sys.argv[2]).mkdir(parents=True, exist_ok=True)
            start(Path(sys.argv[2]).resolve(), sys.argv[3:])
        elif len(sys.argv) == 3 and sys.argv[1] == "stop":
            stop_server(sys.argv[2])
        elif sys.argv[1:] == ["install"]:
            install()
        else:
            print(f"usage: {sys.argv[0]} start DIR [options] | stop DIR | install", file=sys.stderr)
            return 2
    except PeerError as error:
        print(error, file=sys.stderr)
        return 1
    return 0
