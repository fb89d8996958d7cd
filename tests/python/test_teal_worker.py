"""The worker's own parts, without a host. Run: python3 -m unittest discover tests/python"""

import collections
import datetime
import enum
import marshal
import os
import socket
import struct
import subprocess
import sys
import tempfile
import time
import types
import unittest

import worker_text

worker = types.ModuleType("teal_worker")
exec(compile(worker_text.read(), worker_text.NAME, "exec"), worker.__dict__)


class Values(unittest.TestCase):
    def test_plain_values_are_not_copied(self):
        for value in (None, True, 3, 2.5, "x", b"y", [1, [2]], (1, (2,)), {"a": {"b": [None]}}, {(1, 2): 3}):
            self.assertIs(worker.carry(value), value)

    def test_subclasses_become_what_they_extend(self):
        class Kind(enum.IntEnum):
            ONE = 1

        class Text(str):
            def __str__(self):
                return "not me"

        class Bytes(bytes):
            pass

        Point = collections.namedtuple("Point", "x y")
        value = [Kind.ONE, Text("t"), Bytes(b"b"), Point(1, Text("u")), collections.OrderedDict(k=Kind.ONE)]
        carried = worker.carry(value)
        self.assertEqual(carried, [1, "t", b"b", [1, "u"], {"k": 1}])
        marshal.dumps(carried, 2)
        self.assertEqual([type(v) for v in carried], [int, str, bytes, list, dict])

    def test_the_path_to_what_cannot_be_carried(self):
        cases = {
            "result[2].x is a datetime.datetime": [1, 2, {"x": datetime.datetime.now()}],
            "result['a b'] is a set": {"a b": {1}},
            "result[3][0] is a complex": {3: (1j,)},
            "a key of result is a frozenset": {frozenset(): 1},
            "result is a bytearray": bytearray(b"x"),
            "result is a object": object(),
        }
        for message, value in cases.items():
            with self.assertRaises(worker.CarryError) as caught:
                worker.carry(value)
            self.assertIn(message, str(caught.exception))
            self.assertEqual(caught.exception.kind, "type")

    def test_depth_and_rings(self):
        ring = []
        ring.append(ring)
        deep = 1
        for _ in range(101):
            deep = {"k": deep}
        for value in (ring, deep):
            with self.assertRaises(worker.CarryError) as caught:
                worker.carry(value)
            self.assertIn("nested deeper than 100", str(caught.exception))
        worker.carry(deep["k"])

    def test_sharing_that_would_explode_is_refused(self):
        value = [1]
        for _ in range(60):
            value = [value, value]
        before = worker.CONTAINERS_MAX
        worker.CONTAINERS_MAX = 10000
        try:
            with self.assertRaises(worker.CarryError) as caught:
                worker.carry(value)
        finally:
            worker.CONTAINERS_MAX = before
        self.assertEqual(caught.exception.kind, "limit")


class Secrets(unittest.TestCase):
    def test_held_back(self):
        self.assertEqual(worker.held_back("it is hunt", ["hunter2"]), 4)
        self.assertEqual(worker.held_back("hunter2", ["hunter2"]), 0)
        self.assertEqual(worker.held_back("xx", ["hunter2"]), 0)
        self.assertEqual(worker.held_back("ab", ["abc", "bcdef"]), 2)

    def test_mask_deep(self):
        self.assertEqual(worker.mask_deep({"k": ["a pw", ("pw", 1)]}, ["pw"]), {"k": ["a ***", ("***", 1)]})


class Errors(unittest.TestCase):
    def test_a_broken_str_does_not_hide_the_error(self):
        class Odd(Exception):
            def __str__(self):
                raise KeyError("x")

        self.assertIn("KeyError", worker.message_of(Odd()))

    def test_long_texts_are_shortened(self):
        self.assertLess(len(worker.shorten("x" * 10_000_000)), worker.TEXT_CHARS_MAX + 100)


class Conversation(unittest.TestCase):
    """Speaks the protocol from Python: an encoder that is not the host's."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        with open(os.path.join(self.folder.name, "m.py"), "w") as file:
            file.write("import time\ndef f(x): print('saw', x); return x\ndef nap(): time.sleep(0.5)\n")
        self.sock, child = socket.socketpair()
        self.addCleanup(self.sock.close)
        self.sock.settimeout(20)
        shared = tempfile.TemporaryFile()
        shared.truncate(4096)
        text = os.path.join(self.folder.name, worker_text.NAME)
        with open(text, "w", encoding="utf-8") as file:
            file.write(worker_text.read())
        start = ("import os,sys; os.dup2(%d, 3); os.dup2(%d, 4); sys.argv=['x']; f=%r; "
                 "exec(compile(open(f).read(), f, 'exec'), {'__name__': '__main__', '__file__': f})")
        self.process = subprocess.Popen(
            [sys.executable, "-c", start % (child.fileno() + 100, shared.fileno() + 100, text)],
            pass_fds=self.moved(child, shared), stdin=subprocess.DEVNULL)
        child.close()
        shared.close()
        for fd in self.moved_fds:
            os.close(fd)
        self.addCleanup(self.process.wait)
        self.addCleanup(self.process.kill)

    def moved(self, child, shared):
        self.moved_fds = [child.fileno() + 100, shared.fileno() + 100]
        os.dup2(child.fileno(), self.moved_fds[0])
        os.dup2(shared.fileno(), self.moved_fds[1])
        return self.moved_fds

    def send(self, *messages, pieces=1):
        body = marshal.dumps(list(messages), 2)
        frame = struct.pack("<I", len(body)) + body
        size = (len(frame) + pieces - 1) // pieces
        for at in range(0, len(frame), size):
            self.sock.sendall(frame[at:at + size])

    def receive(self):
        def exactly(count):
            data = b""
            while len(data) < count:
                more = self.sock.recv(count - len(data))
                self.assertTrue(more, "the worker closed the socket")
                data += more
            return data
        return marshal.loads(exactly(struct.unpack("<I", exactly(4))[0]))

    def hello(self):
        self.send((0, 1, 1, "marshal-2", self.folder.name))
        (welcome,) = self.receive()
        self.assertEqual(welcome[:2] + welcome[3:4], (0, 1, "marshal-2"))
        self.send((1, [("m", ["f", "nap"])]))
        (loaded,) = self.receive()
        self.assertEqual(loaded, (1, [[False, 1, 1, ["x"], [], False], [False, 0, 0, [], [], False]], []))

    def call(self, number, function, *arguments):
        return (2, number, function, list(arguments), None, "s", "t", 1, 1, None, None)

    def test_calls_in_one_frame_and_in_pieces(self):
        self.hello()
        self.send(self.call(1, 0, "a"), self.call(2, 0, "b"), pieces=7)
        got = []
        while len(got) < 2:
            got += self.receive()
        self.assertEqual(got, [(2, 1, "a", [1, "saw a\n"]), (2, 2, "b", [1, "saw b\n"])])

    def test_recall_while_a_call_lasts(self):
        self.hello()
        self.send(self.call(1, 1), self.call(2, 0, "b"), self.call(3, 0, "c"))
        time.sleep(0.1)  # the first has begun
        self.send((4,))
        self.assertEqual(self.receive(), [(7, [2, 3])])
        self.assertEqual(self.receive(), [(2, 1, None, None)])

    def test_another_version_is_refused(self):
        self.send((0, 7, 9, "marshal-2", self.folder.name))
        self.assertEqual(self.receive()[0][:2], (0, 0))
        self.assertEqual(self.process.wait(20), 4)

    def test_it_ends_with_its_host(self):
        self.hello()
        self.sock.close()
        self.assertEqual(self.process.wait(20), 0)

    def test_shutdown(self):
        self.hello()
        self.send((5,))
        self.assertEqual(self.process.wait(20), 0)


if __name__ == "__main__":
    unittest.main()
