"""Bodies of frames as a worker sends them (docs/formats/worker-protocol.md): where the fuzzer of frames begins."""

import marshal

LOADED_FINE = (1, [(False, 0, -1, ["x"], ["flag"], False), (True, 2, 3, [], [], True)], [])
LOADED_BADLY = (1, [], [("m", "f", "missing_function", "m.py has no `f`", "m.py", 0, "define it", ""),
                        ("n", None, "syntax", "invalid syntax", "n.py", 3, None, "  File \"n.py\", line 3\n")])
VALUES = [None, True, False, 0, -1, 2**31 - 1, 2**31, -2**63, 2**63 - 1, 2**63, 10**40, 1.5, float("inf"), float("nan"), "", "né\0",
          b"\xff\0", [], [1, [2, [3]]], (1, (2,)), {"a": {"b": 1}, 2: [], (1, None): 3.5}, {1: 1, 2: 2, True: 3}, 1j, {1, 2},
          "\ud800", [[[[[[[[[[]]]]]]]]]]]
FRAMES = [[(0, 1, "3.11.2", "marshal-2", 4711)], [LOADED_FINE], [LOADED_BADLY],
          [(3, 1, "ValueError", "no", [("m.py", 7, "f")], "Traceback …\n", {"code": 7}, [1, "before\n", 2, "at the end\n"])],
          [(3, 2, "KeyError", "'k'", [], "", None, None), (4, 2, [1, "text"]), (4, 0, [2, "stray"])],
          [(5, 3, None), (5, 3, {"at": 10}), (6, 3, "info", "said", {"n": 1}), (6, 0, "warning", "said", None)],
          [(7, [4, 5, 6])], []] + [[(2, number, value, None)] for number, value in enumerate(VALUES)]


def write(folder):
    for number, frame in enumerate(FRAMES):
        (folder / f"frame{number}").write_bytes(marshal.dumps(frame, 2))
