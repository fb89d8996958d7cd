"""What of a suite's output says which tests failed, and why.

A suite's output may be long, and what records a run may keep only a part of it: so the failed tests come first, each with
the first lines of its own section, and the end of the output last.
"""

import re

CHARACTERS_MAX = 20000  # of a suite's report
LINES_MAX = 40  # of one test's section
TESTS_MAX = 30  # with sections; the others by name only
TAIL_LINES = 12

# "[ RUN      ] Suite.Test" begins a test of GoogleTest, "[  FAILED  ] Suite.Test (5 ms)" ends it.
GTEST_BEGIN = re.compile(r"^\[ RUN      \] (\S+)")
GTEST_FAILED = re.compile(r"^\[  FAILED  \] (\S+?),? .*\(\d+ ms\)$")
GTEST_END = re.compile(r"^\[       OK \] |^\[  SKIPPED \] |^\[  FAILED  \] ")
# Every other suite: a line a test, what belongs to it below.
PLAIN_FAILED = re.compile(r"^(?:FAIL|FAILED|not ok|ERROR:)[ :]+([^\s(].*)$")
PLAIN_NEXT = re.compile(r"^(?:ok\b|FAIL|SKIP|ERROR:|==|\d+ passed, \d+ failed|Ran \d+ tests)")


def sections(output):
    """[(name, lines)] of the failed tests, in their order."""
    found = []
    begun, name, plain = None, None, None
    lines = output.splitlines()
    for number, line in enumerate(lines):
        match = GTEST_BEGIN.match(line)
        if match:
            begun, name, plain = number, match.group(1), None
            continue
        if begun is not None:
            if GTEST_END.match(line):
                if GTEST_FAILED.match(line):
                    found.append((name, lines[begun + 1:number]))
                begun = None
            continue
        if plain is not None and PLAIN_NEXT.match(line):
            plain = None
        match = PLAIN_FAILED.match(line)
        if match:
            plain = []
            found.append((match.group(1)[:160], plain))
        elif plain is not None:
            plain.append(line)
    if begun is not None:  # it ended the program
        found.append((name, lines[begun + 1:]))
    return found


def shown(name, lines, most=LINES_MAX):
    """A failed test as text: both ends of a long section, for the reason may stand at either."""
    if len(lines) > most:
        lines = lines[:most * 2 // 3] + [f"… {len(lines) - most} lines …"] + lines[-(most - most * 2 // 3):]
    return "\n".join([f"FAILED {name}"] + ["  " + line[:400] for line in lines])


def report(output):
    """What of a failed suite's output is printed."""
    failed = sections(output)
    parts = [shown(name, lines) for name, lines in failed[:TESTS_MAX]]
    if len(failed) > TESTS_MAX:
        parts.append("FAILED as well: " + ", ".join(name for name, _ in failed[TESTS_MAX:]))
    tail = output.splitlines()[-(TAIL_LINES if failed else 5 * LINES_MAX):]
    end = "\n".join(["the end of its output:"] + ["  " + line[:400] for line in tail])[-CHARACTERS_MAX // 4:]
    return "\n".join(parts)[:CHARACTERS_MAX - len(end)] + "\n" * bool(parts) + end


def listed(suite, output):
    """The same for a list of all failures of a run: each test's name and first lines."""
    failed = sections(output)
    if not failed:
        failed = [("no test by name", output.splitlines()[-6:])]
    return "".join(f"{suite}: {shown(name, [line for line in lines if line.strip()], 6)}\n" for name, lines in failed)
