// The encoding: against Python's own, and against bytes that no worker would send.
#include <cmath>
#include <limits>
#include <random>

#include "core/vm/value.h"
#include "tests/unit/runtime/worker_testing.h"

namespace teal::runtime {
namespace {

// A random value in our encoding, keys distinct in Python.
void RandomValue(std::mt19937_64& random, int depth, MarshalWriter& w) {
  const auto below = [&random](uint64_t n) { return random() % n; };
  switch (below(depth > 0 ? 9 : 6)) {
    case 0:
      return w.None();
    case 1:
      return w.Bool(below(2) == 0);
    case 2:
      return w.Int(static_cast<int64_t>(random() >> below(64)) * (below(2) == 0 ? 1 : -1));
    case 3: {
      static const double kOdd[] = {0.0, -0.0, std::numeric_limits<double>::infinity(), 5e-324, 1e308, 1.0};
      return w.Float(below(2) == 0 ? kOdd[below(6)] : static_cast<double>(random()) / 3);
    }
    case 4: {
      static const char* const kTexts[] = {"", "a", "né", "\xf0\x9f\xa6\x86", "line\nline", "\xed\x9f\xbf\xee\x80\x80"};
      std::string text;
      for (uint64_t i = below(5); i > 0; i--) text += kTexts[below(6)];
      return w.Text(text);
    }
    case 5: {
      std::string bytes(below(20), '\0');
      for (char& c : bytes) c = static_cast<char>(random());
      return w.Bytes(bytes);
    }
    case 6:
    case 7: {
      const uint32_t count = static_cast<uint32_t>(below(6));
      w.ListHead(count);
      for (uint32_t i = 0; i < count; i++) RandomValue(random, depth - 1, w);
      return;
    }
    default: {
      w.DictHead();
      for (uint64_t i = 0, count = below(6); i < count; i++) {
        if (below(2) == 0) {
          w.Text("key " + std::to_string(i));
        } else {
          w.Int(static_cast<int64_t>(i) + (below(2) == 0 ? 0 : int64_t{1} << 40));
        }
        RandomValue(random, depth - 1, w);
      }
      w.DictEnd();
      return;
    }
  }
}

TEST(WorkerMarshal, IsWhatPythonWrites) {
  TestPool p("import marshal\ndef dump(x): return marshal.dumps(x, 2)\ndef echo(x): return x\n", {"dump", "echo"});
  p.Start();
  std::mt19937_64 random(20240607);
  std::vector<std::string> values;
  std::vector<uint64_t> tags;
  for (int i = 0; i < 3000; i++) {
    std::string value;
    MarshalWriter w(&value);
    RandomValue(random, 5, w);
    std::string arguments;
    MarshalWriter a(&arguments);
    a.ListHead(1);
    a.Raw(value);
    tags.push_back(p.Begin("dump", arguments));
    tags.push_back(p.Begin("echo", arguments));
    values.push_back(std::move(value));
  }
  for (size_t i = 0; i < values.size(); i++) {
    const std::string dumped = p.Wait(tags[2 * i]).outcome.payload;
    std::string_view bytes;
    MarshalReader r(dumped);
    ASSERT_TRUE(r.Bytes(&bytes));
    ASSERT_EQ(bytes, values[i]);
    ASSERT_EQ(p.Wait(tags[2 * i + 1]).outcome.payload, values[i]);
  }
}

TEST(WorkerMarshal, ReadsIntegersUpToTheirLimits) {
  for (const int64_t value : {int64_t{0}, int64_t{-1}, int64_t{INT32_MAX}, int64_t{INT32_MIN}, int64_t{INT32_MAX} + 1,
                              int64_t{INT32_MIN} - 1, INT64_MAX, INT64_MIN}) {
    std::string bytes;
    MarshalWriter(&bytes).Int(value);
    int64_t read = 1;
    bool fits = false;
    MarshalReader r(bytes);
    ASSERT_TRUE(r.Int(&read, &fits) && fits && r.AtEnd());
    EXPECT_EQ(read, value);
  }
  // 2**63, -2**63 - 1, 2**64, 2**75: as Python writes them.
  for (const std::string& bytes : {std::string("l\x05\0\0\0\0\0\0\0\0\0\0\0\x08\0", 15),
                                   std::string("l\xfb\xff\xff\xff\x01\0\0\0\0\0\0\0\x08\0", 15),
                                   std::string("l\x05\0\0\0\0\0\0\0\0\0\0\0\x10\0", 15),
                                   std::string("l\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0", 17)}) {
    int64_t read = 1;
    bool fits = true;
    MarshalReader r(bytes);
    ASSERT_TRUE(r.Int(&read, &fits) && r.AtEnd());
    EXPECT_FALSE(fits);
  }
}

// One frame with every kind of message.
std::string SampleFrame() {
  std::string out;
  MarshalWriter w(&out);
  w.ListHead(5);
  w.TupleHead(5);
  w.Int(0), w.Int(1), w.Text("3.11.2"), w.Text("marshal-2"), w.Int(77);
  w.TupleHead(3);
  w.Int(1);
  w.ListHead(1);
  w.ListHead(6);
  w.Bool(true), w.Int(1), w.Int(-1);
  w.ListHead(2);
  w.Text("x"), w.Text("y");
  w.ListHead(1);
  w.Text("z");
  w.Bool(false);
  w.ListHead(1);
  w.ListHead(8);
  w.Text("m"), w.None(), w.Text("syntax"), w.Text("bad"), w.Text("m.py"), w.Int(3), w.None(), w.Text("");
  w.TupleHead(4);
  w.Int(2), w.Int(9);
  w.DictHead();
  w.Text("a");
  w.TupleHead(2);
  w.Int(1), w.Float(2.5);
  w.TupleHead(1);
  w.Bytes("x");
  w.Bool(false);
  w.DictEnd();
  w.ListHead(2);
  w.Int(1), w.Text("printed");
  w.TupleHead(8);
  w.Int(3), w.Int(10), w.Text("ValueError"), w.Text("no");
  w.ListHead(1);
  w.ListHead(3);
  w.Text("m.py"), w.Int(4), w.Text("f");
  w.Text("Traceback"), w.None(), w.None();
  w.TupleHead(2);
  w.Int(7);
  w.ListHead(2);
  w.Int(3), w.Int(int64_t{1} << 40);
  return out;
}

TEST(WorkerMessages, ReadsEveryKind) {
  auto messages = ParseWorkerFrame(SampleFrame());
  ASSERT_TRUE(messages.ok());
  ASSERT_EQ(messages->size(), 5u);
  const std::vector<WorkerMessage>& m = messages.value();
  EXPECT_EQ(m[0].python, "3.11.2");
  EXPECT_EQ(m[1].failures.at(0).line, 3);
  EXPECT_EQ(m[1].functions.at(0).positional, (std::vector<std::string>{"x", "y"}));
  EXPECT_TRUE(m[1].functions.at(0).Names("z"));
  EXPECT_EQ(m[2].output.at(0).text, "printed");
  EXPECT_EQ(m[3].trace.at(0).function, "f");
  EXPECT_EQ(m[4].recalled.at(1), uint64_t{1} << 40);
}

// Nothing that arrives may crash the host, and no truncation is taken for a frame.
TEST(WorkerMessages, RefusesWhatIsNoFrame) {
  const std::string good = SampleFrame();
  for (size_t size = 0; size < good.size(); size++) EXPECT_FALSE(ParseWorkerFrame(good.substr(0, size)).ok()) << size;
  EXPECT_FALSE(ParseWorkerFrame(good + "N").ok());
  int refused = 0;
  for (size_t bit = 0; bit < good.size() * 8; bit++) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    refused += ParseWorkerFrame(bad).ok() ? 0 : 1;
  }
  EXPECT_GT(refused, static_cast<int>(good.size()) * 2);
  std::mt19937_64 random(7);
  for (int i = 0; i < 20000; i++) {
    std::string bad = good;
    for (int k = 0; k < 8; k++) bad[random() % bad.size()] = static_cast<char>(random());
    (void)ParseWorkerFrame(bad).ok();
  }
}

TEST(WorkerMessages, BoundsDepth) {
  for (const int depth : {100, 101, 200, 201, 1'000'000}) {
    std::string out;
    MarshalWriter w(&out);
    w.ListHead(1);
    w.TupleHead(4);
    w.Int(2), w.Int(9);
    for (int i = 0; i < depth; i++) w.ListHead(1);
    w.None();
    w.None();
    auto messages = ParseWorkerFrame(out);
    EXPECT_EQ(messages.ok(), depth <= 200) << depth;
    if (depth <= 101) {
      EXPECT_EQ(messages->at(0).error_kind, depth == 100 ? "" : "type");
    }
  }
}

// The type byte of ids has no place in a value: what a frame gives out must all be values that can be decoded.
TEST(WorkerMessages, RefusesAnIdAsAValue) {
  const std::string head("[\1\0\0\0(\4\0\0\0i\2\0\0\0i\1\0\0\0", 20);
  const std::string eight("\1\0\0\0\0\0\0\0", 8);
  EXPECT_TRUE(ParseWorkerFrame(head + "g" + eight + "N").ok());
  EXPECT_FALSE(ParseWorkerFrame(head + "I" + eight + "N").ok());
  EXPECT_FALSE(ParseWorkerFrame(head + "{I" + eight + "N0N").ok());
}

TEST(WorkerMessages, NamesForeignTypes) {
  const std::string head("[\1\0\0\0(\4\0\0\0i\2\0\0\0i\1\0\0\0", 20);
  const struct {
    std::string bytes;
    const char* text;
  } cases[] = {{std::string("[\2\0\0\0Ny0123456789abcdef", 23), "result[1] is a complex"},
               {std::string("<\1\0\0\0N", 6), "result is a set"},
               {".", "result is a ellipsis"}};
  for (const auto& c : cases) {
    auto messages = ParseWorkerFrame(head + c.bytes + "N");
    ASSERT_TRUE(messages.ok());
    EXPECT_EQ(messages->at(0).error_kind, "type");
    EXPECT_NE(messages->at(0).text.find(c.text), std::string::npos) << messages->at(0).text;
  }
}

TEST(WorkerMarshal, MakesTextOfBytes) {
  const std::string good = "plain ascii, longer than eight \xc3\xa9 \xed\x9f\xbf \xf4\x8f\xbf\xbf";
  EXPECT_EQ(ToUtf8(good), good);
  EXPECT_EQ(ToUtf8("abcdefgh\x80 \xc3\xa9\xe2\x82"), "abcdefgh\xef\xbf\xbd \xc3\xa9\xef\xbf\xbd\xef\xbf\xbd");
  for (const char* bad : {"\xed\xa0\x80", "\xc0\x80", "\xe0\x80\x80", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xff",
                          "abcdefgh\x80", "\xc3", "\xe2\x82"}) {
    EXPECT_NE(ToUtf8(bad), bad);
    EXPECT_TRUE(vm::IsValidUtf8(ToUtf8(bad)));
  }
}

}  // namespace
}  // namespace teal::runtime
