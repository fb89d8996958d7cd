"""The worker must run on Python 3.8: its text must be in the grammar of that version."""

import ast
import unittest

import worker_text


class Grammar(unittest.TestCase):
    def test_worker_is_python_3_8(self):
        ast.parse(worker_text.read(), worker_text.NAME, feature_version=(3, 8))

    def test_later_grammar_is_found(self):
        with self.assertRaises(SyntaxError):
            ast.parse("match x:\n    case 1: pass\n", feature_version=(3, 8))


if __name__ == "__main__":
    unittest.main()
