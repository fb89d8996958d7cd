"""`encryption` of teal.yaml: what a host keeps can be read with the key only. The real command over the real store."""

import base64
import hashlib
import os
import tempfile

from commands import Host, expect, same, run_teal

PROGRAM = """
fn main(argument) {
  print("output-" + argument)
  kept = "variable-" + argument
  got = await event("go")
  kept + "-result-" + got
}
fn large(argument) {
  text = ""
  for i in range(2000) { text = text + argument + "-" }
  got = await event("go")
  length(text)
}
fn bad(argument) {
  sleep(0.01)
  raise("Kind" + argument, "message-" + argument, {"data": "error-" + argument})
}
"""
# Nothing of these may lie in the data folder. Long, so that none is there by chance.
WORDS = ["Xylocarp", "Quokkaberry", "Vexillology"]


def key(text):
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


class Sealed(Host):
    """A host whose teal.yaml says this of encryption, with the keys in its environment."""

    def __init__(self, build, encryption, folder=None):
        folder = folder or tempfile.mkdtemp(prefix="teal-sealed-")
        with open(os.path.join(folder, "a.tl"), "w", encoding="utf-8") as file:
            file.write(PROGRAM)
        self.write(folder, encryption)
        super().__init__(build, "", folder=folder)

    @staticmethod
    def write(folder, encryption):
        with open(os.path.join(folder, "teal.yaml"), "w", encoding="utf-8") as file:
            file.write(f"main: a.tl\nsecrets: {{first: {{env: FIRST}}, second: {{env: SECOND}}}}\n{encryption}\n")

    def end(self):
        self.process.terminate()
        same(self.process.wait(30), 0)
        self.process.stdout.close()
        self.errors.close()

    def again(self, encryption):
        self.write(self.folder, encryption)
        self.begin()

    def refused(self, encryption, *texts):
        self.write(self.folder, encryption)
        done = run_teal(self.build, self.folder, "serve", "--port", "0", timeout=30)
        expect(done, 2, "", texts)
        for secret in (os.environ["FIRST"], os.environ["SECOND"]):
            if secret in done.stderr:
                raise AssertionError("the key is in the message: " + done.stderr)

    def found(self):
        """The words that lie in the data folder, as they are or backwards into a compressed block's neighbours."""
        seen = set()
        for folder, _, files in os.walk(os.path.join(self.folder, ".teal")):
            for name in files:
                with open(os.path.join(folder, name), "rb") as file:
                    text = file.read()
                seen.update(word for word in [*WORDS, "output-", "variable-", "message-"] if word.encode() in text)
        return seen

    def work(self):
        """Sessions of all sorts; those that wait."""
        waiting = [expect(self.teal("start", name, word), 0).stdout.strip() for name, word in (("main", WORDS[0]), ("large", WORDS[1]))]
        expect(self.teal("invoke", "bad", WORDS[2]), 1)
        return waiting


def add(case, build):
    os.environ["FIRST"] = key("one")
    os.environ["SECOND"] = key("two")
    first = "encryption: {key: '${secret:first}'}"
    second = "encryption: {key: '${secret:second}', previous: ['${env:FIRST}']}"

    @case
    def values_at_rest_are_sealed(_):
        with Sealed(build, first) as host:
            waiting = host.work()
            same(host.found(), set())
            host.kill()
            same(host.found(), set())
            host.begin()
            for sid in waiting:
                expect(host.teal("send", sid, "go", WORDS[2]), 0)
            expect(host.teal("wait", waiting[0]), 0, f'"variable-{WORDS[0]}-result-{WORDS[2]}"\n')
            expect(host.teal("wait", waiting[1]), 0, f"{2000 * (len(WORDS[1]) + 1)}\n")
            expect(host.teal("stdout", waiting[0]), 0, f"output-{WORDS[0]}\n")
            host.end()  # all is in the files of the store, compressed
            same(host.found(), set())

    @case
    def without_a_key_they_can_be_read(_):
        with Sealed(build, "") as host:  # the test above can fail
            host.work()
            if not host.found():
                raise AssertionError("nothing is found in clear either")

    @case
    def a_key_that_does_not_fit_is_refused(_):
        with Sealed(build, first) as host:
            sid = host.work()[0]
            host.end()
            host.refused("", "the store is sealed with the key", "encryption.key in teal.yaml")
            host.refused("encryption: {key: '${env:SECOND}'}", "encryption.previous")
            host.refused("encryption: {key: '${env:NOT_SET_ANYWHERE}'}", "teal.yaml:3:", "NOT_SET_ANYWHERE")
            host.refused("encryption: {key: password}", "teal.yaml:3:", "openssl rand -base64 32")
            host.again(second)  # rotated
            expect(host.teal("send", sid, "go", "a"), 0)
            expect(host.teal("wait", sid), 0, f'"variable-{WORDS[0]}-result-a"\n')
            same(host.found(), set())
            host.end()
            host.begin()

    @case
    def encryption_can_be_turned_on(_):
        with Sealed(build, "") as host:
            waiting = host.work()
            host.end()
            host.refused(first, "in clear", "encryption.allow_clear")
            host.again("encryption: {key: '${env:FIRST}', allow_clear: true}")
            expect(host.teal("send", waiting[0], "go", "a"), 0)
            expect(host.teal("wait", waiting[0]), 0, f'"variable-{WORDS[0]}-result-a"\n')
