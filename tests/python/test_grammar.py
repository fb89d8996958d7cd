"""The worker must run on Python 3.8: its text must be in the grammar of that version."""

import ast
import os
import unittest

WORKER = os.path.join(os.path.dirname(__file__), "..", "..", "workers", "python", "teal_worker.py")


class Grammar(unittest.TestCase):
    def test_worker_is_python_3_8(self):
        with open(WORKER, encoding="utf-8") as file:
            ast.parse(file.read(), WORKER, feature_version=(3, 8))

    def test_later_grammar_is_found(self):
        with self.assertRaises(SyntaxError):
            ast.parse("match x:\n    case 1: pass\n", feature_version=(3, 8))


if __name__ == "__main__":
    unittest.main()
