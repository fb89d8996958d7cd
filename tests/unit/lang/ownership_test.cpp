// Values are immutable, whatever is changed in place: who shares a list never sees it change; and loops that change a
// list, hash or string of their own take time in proportion to their turns.
#include "tests/unit/lang/compiling.h"

namespace teal::lang {
namespace {

struct Case {
  const char* body;  // of main
  const char* value;
};

class Sharing : public testing::TestWithParam<Case> {};

TEST_P(Sharing, NobodySeesAChange) {
  const std::string text =
      std::string("fn same(x) { x }\nfn put(xs, v) { set(xs, 0, v) }\nfn main() {\n") + GetParam().body + "\n}\n";
  EXPECT_EQ(ValueOf(text), GetParam().value) << text;
  EXPECT_EQ(ValueOf(text, false), GetParam().value) << "not optimized: " << text;
}

INSTANTIATE_TEST_SUITE_P(
    Programs, Sharing,
    testing::Values(
        Case{"xs = [1]\nys = xs\nxs = set(xs, 0, 2)\n[xs, ys]", "[[2], [1]]"},
        Case{"xs = [1]\nys = xs\nxs = append(xs, 2)\n[xs, ys]", "[[1, 2], [1]]"},
        Case{"xs = [1]\nys = set(xs, 0, xs[0] + 1)\n[xs, ys]", "[[1], [2]]"},
        Case{"xs = [1]\nys = put(xs, 5)\n[xs, ys]", "[[1], [5]]"},
        Case{"xs = [1]\nxs = put(xs, same(xs))\nxs", "[[1]]"},
        Case{"xs = [1]\nf = fn() { xs }\nxs = set(xs, 0, 2)\n[xs, f()]", "[[2], [1]]"},
        Case{"xs = [1]\nf = fn() { xs = set(xs, 0, 9); xs }\n[f(), f(), xs]", "[[9], [9], [1]]"},
        Case{"xs = [1]\ntry { xs = set(xs, 0, raise(\"k\", \"m\")) } catch e { xs = append(xs, 2) }\nxs", "[1, 2]"},
        Case{"xs = [1]\ntry { xs = set(xs, 7, 0) } catch e { xs = append(xs, 2) }\nxs", "[1, 2]"},
        Case{"xs = [1]\ntry { xs = xs + 5 } catch e { xs = append(xs, 2) }\nxs", "[1, 2]"},
        Case{"s = \"a\"\ntry { s = s + 5 } catch e { s = s + \"b\" }\ns", "\"ab\""},
        Case{"h = {\"a\": 1}\ntry { h = set(h, same, 0) } catch e { h = set(h, \"b\", 2) }\nh", "{\"a\": 1, \"b\": 2}"},
        Case{"x = 5\ntry { x = append(x, 1) } catch e { x = x + 1 }\nx", "6"},
        Case{"xs = [1]\nv = [2]\ntry { xs = set(xs, 9, v) } catch e { xs = append(xs, v) }\n[xs, v]",
             "[[1, [2]], [2]]"},
        Case{"xs = [1]\nys = xs\ntry { xs = append(xs, 2) } catch e { xs = 0 }\n[xs, ys]", "[[1, 2], [1]]"},
        Case{"xs = [1]\nys = []\ntry { ys = append(xs, 2) } catch e { ys = xs }\n[xs, ys]", "[[1], [1, 2]]"},
        Case{"xs = [[0]]\nxs = set(xs, 0, xs)\nxs", "[[[0]]]"}, Case{"h = {}\nh = set(h, h, h)\nh", "{{}: {}}"},
        Case{"xs = [1, 2]\nys = xs\ni = 1\nxs = set(xs, i, (i = 7))\n[xs, ys, i]", "[[1, 7], [1, 2], 7]"},
        Case{"xs = [1]\nxs = set(xs, 0, (xs = [5]))\nxs", "[[5]]"},
        Case{"xs = [1]\ntry { xs = append(xs, xs[9]) } finally { xs = append(xs, 2) }\nxs",
             "index: index 9 is out of range: the list has 1 element"},
        Case{"xs = [1]\nn = 0\nfor x in xs { xs = append(xs, x)\nn = n + 1 }\n[xs, n]", "[[1, 1], 1]"},
        Case{"xs = [1, 2]\nfor i in range(2) { for x in xs { xs = set(xs, 0, 7); break } }\nxs", "[7, 2]"},
        Case{"xs = [1]\n[xs, append(xs, 2), xs]", "[[1], [1, 2], [1]]"},
        Case{"xs = [1]\n[xs, (xs = append(xs, 2)), xs]", "[[1], [1, 2], [1, 2]]"},
        Case{"xs = [1]\nput(xs, (xs = [3]))", "[[3]]"},
        Case{"xs = [1]\nys = append(xs, (xs = [3]))\n[xs, ys]", "[[3], [1, [3]]]"},
        Case{"xs = [1]\n{\"a\": xs, \"b\": (xs = 2), \"c\": xs}", "{\"a\": [1], \"b\": 2, \"c\": 2}"},
        Case{"a = 1\na + (a = 2) + a", "5"}, Case{"a = 1\nif a < (a = 0) { \"less\" } else { \"not\" }", "\"not\""},
        Case{"xs = [1]\nxs |> put((xs = [3]))", "[[3]]"},
        Case{"xs = [1]\nys = xs |> set(0, xs[0] + 1) |> append(same(xs))\n[xs, ys]", "[[1], [2, [1]]]"},
        Case{"f = same\nf((f = put))\nf([1], 2)", "[2]"},
        Case{"xs = [[1]]\nrow = xs[0]\nrow = set(row, 0, 2)\n[xs, row]", "[[[1]], [2]]"},
        Case{"s = \"a\"\nt = s\ns = s + \"b\" + s\n[s, t]", "[\"aba\", \"a\"]"},
        Case{"h = {\"a\": 1}\ng = h\nh = set(h, \"a\", h.a + 1)\n[g.a, h.a]", "[1, 2]"},
        Case{"xs = [1, 2, 3]\nys = xs[0:2]\nxs = set(xs, 0, 9)\n[xs, ys]", "[[9, 2, 3], [1, 2]]"},
        Case{"fs = []\nfor i in range(2) { xs = [i]\nfs = append(fs, fn() { xs }); xs = set(xs, 0, 9) }\n"
             "[fs[0](), fs[1]()]",
             "[[0], [1]]"}));

// Bytes that are asked for count against a thread's budget, so that a copy in every turn shows.
uint64_t Effort(const std::string& body, int64_t turns) {
  const std::string text = "fn g(x) { length(x) }\nfn keep(xs, n) { xs }\nfn main(n) {\n" + body + "\n}\n";
  const auto program = Loaded(CompileText("a.tl", text));
  uint32_t index = 0;
  if (program == nullptr || program->FindEntry("main", &index) == nullptr) return 0;
  vm::Thread thread(program, "t1", vm::Value::Function(index), {vm::Value::Int(turns)});
  uint64_t runs = 0;
  vm::RunState state;
  while ((state = thread.Run(50)) == vm::RunState::kBudget) ++runs;
  EXPECT_EQ(state, vm::RunState::kDone) << text;
  return runs;
}

class Loops : public testing::TestWithParam<const char*> {};

TEST_P(Loops, TakeTimeInProportion) {
  const uint64_t once = Effort(GetParam(), 4000);
  const uint64_t four_times = Effort(GetParam(), 16000);
  EXPECT_GT(once, 0u);
  EXPECT_LT(four_times, 6 * once) << GetParam() << ": " << once;
}

#define FILLED "xs = []\nfor i in range(n) { xs = append(xs, i) }\n"
INSTANTIATE_TEST_SUITE_P(
    Programs, Loops,
    testing::Values(FILLED "xs", FILLED "for i in range(n) { xs = set(xs, i, xs[i] + 1) }\nxs",
                    FILLED "for i in range(n) { xs = xs |> set(i, xs[i] + 1) }\nxs",
                    FILLED "for i in range(n) { xs = keep(xs, g(xs)); xs = set(xs, i, 0) }\nxs",
                    FILLED "i = 0\nwhile i < n { xs = set(xs, i, g(xs)); i = i + 1 }\nxs",
                    FILLED "for i in range(n) { xs = set(xs, i, (k = i)); xs = append(xs, k + (k = 2)) }\nxs",
                    FILLED "for i in range(n) { for x in xs { break }; xs = set(xs, i, 0) }\nxs",
                    "h = {}\nfor i in range(n) { h = set(h, i, g(h)) }\nh",
                    "s = \"\"\nfor i in range(n) { s = s + \"a\" + \"b\" }\ns",
                    "xs = []\nfor i in range(n) { xs = xs + [i] }\nxs",
                    // A handler that still reads the variable does not make every turn copy it.
                    "xs = []\nfor i in range(n) { try { xs = append(xs, i) } catch e { xs = [e] } }\nxs",
                    "xs = []\nfor i in range(n) { try { xs = xs + [i] } catch { break } }\nxs",
                    "xs = []\nfor i in range(n) { try { xs = xs |> append(g(xs)) } finally { i = g(xs) } }\nxs",
                    "s = \"\"\nfor i in range(n) { try { s = s + \"a\" } catch { s = \"\" } }\ns",
                    "s = \"\"\nt = \"b\"\nfor i in range(n) { try { s = s + t } catch { s = t } }\ns",
                    "h = {}\nfor i in range(n) { try { h = set(h, i, g(h)) } catch { h = {} } }\nh",
                    FILLED "for i in range(n) { try { xs = set(xs, i, xs[i] + 1) } catch { xs = g(xs) } }\nxs",
                    FILLED "for i in range(n) { try { xs = xs |> set(i, g(xs)) } finally { g(xs) } }\nxs"));
#undef FILLED

}  // namespace
}  // namespace teal::lang
