"""`teal backup` and `teal restore`: the real command over the real store."""

import json
import os
import shutil
import tempfile
import threading

from commands import Host, expect, same, run_teal

PROGRAM = """
fn main(x) { x }
fn waits(x) {
  print("began " + str(x))
  got = await event("go")
  [x, got]
}
"""


def add(case, build):
    @case
    def a_backup_is_restored(_):
        place = tempfile.mkdtemp(prefix="teal-backups-")
        backup = os.path.join(place, "monday")
        other = tempfile.mkdtemp(prefix="teal-restored-")
        try:
            with Host(build, PROGRAM) as host:
                waiting = expect(host.teal("start", "waits", "1"), 0).stdout.strip()
                done = expect(host.teal("start", "main", "7"), 0).stdout.strip()
                expect(host.teal("wait", done), 0, "7\n")
                key = expect(host.teal("keys", "new", "board", "--role", "read"), 0).stdout.strip()
                expect(host.teal("--json", "backup", backup), 0, json.dumps({"folder": backup}, separators=(",", ":")) + "\n")
                expect(host.teal("backup", backup), 2, "", "is not empty; name a new folder")
                expect(host.teal("backup", os.path.join(host.folder, "a.tl")), 2, "", "is no folder")
                later = expect(host.teal("start", "main", "8"), 0).stdout.strip()
                expect(host.teal("restore", backup), 5, "", "holds a store already")
                expect(host.teal("send", waiting, "go", "2"), 0)
                expect(host.teal("wait", waiting), 0, "[1, 2]\n")  # it goes on here
                for name in ("a.tl", "teal.yaml"):
                    shutil.copy(os.path.join(host.folder, name), other)
            expect(run_teal(build, other, "restore", backup), 0, "")
            with Host(build, "", folder=other) as host:
                expect(host.teal("result", done), 0, "7\n")
                expect(host.teal("result", later), 4)
                expect(host.teal("stdout", waiting), 0, "began 1\n")
                expect(host.teal("send", waiting, "go", "3"), 0)  # what came after the backup has not happened here
                expect(host.teal("wait", waiting), 0, "[1, 3]\n")
                expect(host.teal("--key", key, "result", done), 0, "7\n")
                expect(host.teal("--key", key, "backup", os.path.join(place, "x")), 5, "", "admin")
        finally:
            shutil.rmtree(place)
            shutil.rmtree(other, ignore_errors=True)

    @case
    def a_backup_holds_what_was_acknowledged(_):
        """Of sessions that begin all the while: those that had ended before, and none by halves."""
        place = tempfile.mkdtemp(prefix="teal-backups-")
        other = tempfile.mkdtemp(prefix="teal-restored-")
        stop = threading.Event()
        ended = []

        def work(host):
            number = 0
            while not stop.is_set():
                sid = expect(host.teal("start", "main", str(number), "--id", f"n{number}"), 0).stdout.strip()
                expect(host.teal("wait", sid), 0, f"{number}\n")
                ended.append((sid, number))
                number += 1

        try:
            with Host(build, PROGRAM) as host:
                worker = threading.Thread(target=work, args=(host,))
                worker.start()
                while len(ended) < 5:
                    stop.wait(0.05)
                before = list(ended)
                expect(host.teal("backup", os.path.join(place, "b")), 0, "")
                stop.set()
                worker.join()
                for name in ("a.tl", "teal.yaml"):
                    shutil.copy(os.path.join(host.folder, name), other)
            expect(run_teal(build, other, "restore", os.path.join(place, "b")), 0)
            with Host(build, "", folder=other) as host:
                for sid, number in before:
                    expect(host.teal("result", sid), 0, f"{number}\n")
        finally:
            stop.set()
            shutil.rmtree(place)
            shutil.rmtree(other, ignore_errors=True)

    @case
    def backups_without_a_host_and_bad_ones(_):
        place = tempfile.mkdtemp(prefix="teal-backups-")
        other = tempfile.mkdtemp(prefix="teal-restored-")
        try:
            with Host(build, PROGRAM) as host:
                sid = expect(host.teal("start", "main", "7"), 0).stdout.strip()
                expect(host.teal("wait", sid), 0)
                host.process.terminate()
                same(host.process.wait(30), 0)
                backup = os.path.join(place, "b")
                expect(host.teal("backup", backup), 0, "")
                expect(run_teal(build, other, "backup", os.path.join(place, "c")), 4, "", "holds no store")
                expect(run_teal(build, other, "restore", os.path.join(place, "none")), 4, "", "is no backup")
                cut = os.path.join(place, "cut")
                shutil.copytree(backup, cut)
                os.remove(os.path.join(cut, "backup.json"))
                expect(run_teal(build, other, "restore", cut), 4, "", "cut short")
                damaged = os.path.join(place, "damaged")
                shutil.copytree(backup, damaged)
                largest = max((os.path.join(f, n) for f, _, names in os.walk(damaged) for n in names), key=os.path.getsize)
                with open(largest, "r+b") as file:
                    file.seek(os.path.getsize(largest) // 2)
                    byte = file.read(1)
                    file.seek(-1, os.SEEK_CUR)
                    file.write(bytes([byte[0] ^ 1]))
                expect(run_teal(build, other, "restore", damaged), 2, "", "damaged")
                same(os.path.exists(os.path.join(other, ".teal/data/store/LOG")), False)
                newer = os.path.join(place, "newer")
                shutil.copytree(backup, newer)
                with open(os.path.join(newer, "backup.json"), "w", encoding="utf-8") as file:
                    json.dump({"format": 2, "memory": "local"}, file)
                expect(run_teal(build, other, "restore", newer), 2, "", "newer teal")
                shutil.rmtree(os.path.join(other, ".teal"), ignore_errors=True)
                for name in ("a.tl", "teal.yaml"):
                    shutil.copy(os.path.join(host.folder, name), other)
            expect(run_teal(build, other, "restore", backup), 0)
            with Host(build, "", folder=other) as host:
                expect(host.teal("result", sid), 0, "7\n")
        finally:
            shutil.rmtree(place)
            shutil.rmtree(other, ignore_errors=True)
