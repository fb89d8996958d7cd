// Keys to the byte, and the list of children against a plain map.
#include "core/runtime/record_key.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/unit/runtime/record_samples.h"

namespace teal::runtime::record {
namespace {

TEST(RecordKey, EachToTheByte) {
  const Sha256 hash = Sha256Of("x");
  const std::string hex = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";
  EXPECT_EQ(SessionKey(kSid), (Key{kSid, "s"}));
  EXPECT_EQ(ThreadKey(kSid, "0"), (Key{kSid, "s"})) << "the main thread lies in its session";
  EXPECT_EQ(ThreadKey(kSid, "0.3.1"), (Key{kSid, "t/0.3.1"}));
  EXPECT_EQ(ValueKey(kSid, hash), (Key{kSid, "v/" + hex}));
  EXPECT_EQ(OutputKey(kSid, "0.3", 27), (Key{kSid, "o/0.3/000000000000001b"}));
  EXPECT_EQ(ProgramKey(hash), (Key{"p", hex}));
  EXPECT_EQ(ProgramPieceKey(hash, 2), (Key{"p/" + hex, "0000000000000002"}));
  EXPECT_EQ(LimitKey("rate", "acme", 258), (Key{"l/" + Hex(Sha256Of(std::string("rate\0acme", 9))), "0102"}));
  EXPECT_EQ(ListKey(1'700'000'000'000'000'000, kSid).partition.substr(0, 11), "i/20231114/");
  EXPECT_EQ(ListKey(1'700'000'000'000'000'000, kSid).sort, "e8686301c9d5ffff/" + kSid);
  EXPECT_LT(ListKey(2, kSid).sort, ListKey(1, kSid).sort) << "the newest first";
  EXPECT_EQ(SweeperPartKey(1023), (Key{"w", "03ff"}));
  EXPECT_EQ(EffectKey(kSid, "0.3", 12), kSid + "/0.3/12");
  EXPECT_EQ(BlobName(kSid, hash), kSid + "/" + hex);
  EXPECT_EQ(BlobSalt(kSid), kSid + "\n");
  EXPECT_EQ(SeenId("x").size(), 16u);
}

TEST(RecordKey, ParseGivesWhatWasPutIn) {
  const Sha256 hash = Sha256Of("x");
  const auto kind = [](const Key& key) { return Parse(key).value().kind; };
  EXPECT_EQ(kind(SessionKey(kSid)), Kind::kSession);
  EXPECT_EQ(Parse(ThreadKey(kSid, "0.3"))->tid, "0.3");
  EXPECT_EQ(Parse(ValueKey(kSid, hash))->hash, hash);
  EXPECT_EQ(Parse(OutputKey(kSid, "0.3", UINT64_MAX))->number, UINT64_MAX);
  EXPECT_EQ(Parse(OutputKey(kSid, "0.3", 1))->tid, "0.3");
  EXPECT_EQ(Parse(ProgramKey(hash))->hash, hash);
  EXPECT_EQ(Parse(ProgramPieceKey(hash, 2))->number, 2u);
  EXPECT_EQ(kind(LimitKey("a", "b", 0)), Kind::kLimit);
  EXPECT_EQ(Parse(ListKey(1'700'000'000'000'000'000, kSid))->number, 1'700'000'000'000'000'000u);
  EXPECT_EQ(Parse(ListKey(UINT64_MAX, kSid))->sid, kSid);
  EXPECT_EQ(Parse(SweeperPartKey(7))->number, 7u);

  const Key wrong[] = {{kSid, "x"},
                       {kSid, ""},
                       {kSid, "t/"},
                       {kSid, "t/0"},
                       {kSid, "t/0..1"},
                       {kSid, "t/0.1."},
                       {kSid, "t/main"},
                       {kSid, "v/00"},
                       {kSid, "o/0.3"},
                       {kSid, "o/0.3/1"},
                       {kSid, "o//0000000000000001"},
                       {"", "s"},
                       {"p", "xyz"},
                       {"w", "0400"},
                       {"w", "3"},
                       {"i/20231114/00", "0000000000000000/" + kSid},
                       {"q", "1"},
                       {kSid + "a", "s"},
                       {"A" + kSid.substr(1), "s"},
                       {kSid, "t/" + std::string(201, '1')},
                       {kSid, "t/0.1\n"}};
  for (const Key& key : wrong) EXPECT_FALSE(Parse(key).has_value()) << Text(key);
}

TEST(RecordKey, ChildTidsBeyond200BytesAreHashed) {
  std::string tid = "0";
  for (int i = 0; i < 120; i++) {
    tid = ChildTid(tid, 123'456'789);
    EXPECT_TRUE(IsTid(tid)) << tid;
  }
  EXPECT_EQ(ChildTid(std::string(198, '1'), 7).size(), 200u);
  EXPECT_EQ(ChildTid(std::string(199, '1'), 7).size(), 32u);
}

// P-20: what is listed, dropped and marked is what a plain map says; and the same list has one form.
TEST(RecordChildren, P20AgreesWithAMap) {
  for (uint64_t seed = 0; seed < 20; seed++) {
    RandomRecords random(seed);
    std::vector<Children> list;
    std::map<uint64_t, Marks> plain;
    for (int i = 0; i < 400; i++) {
      const uint64_t step = random.Below(60);
      const Marks marks{random.Below(4) == 0, random.Below(4) == 0};
      switch (random.Below(3)) {
        case 0: {
          const uint64_t count = 1 + random.Below(6);
          bool free = true;
          for (uint64_t k = step; k < step + count; k++) free = free && plain.count(k) == 0;
          ASSERT_EQ(ListChildren(&list, step, count, marks), free) << "never listed twice";
          for (uint64_t k = step; free && k < step + count; k++) plain[k] = marks;
          break;
        }
        case 1:
          ASSERT_EQ(DropChild(&list, step), plain.erase(step) == 1);
          break;
        default:
          ASSERT_EQ(MarkChild(&list, step, marks), plain.count(step) == 1);
          if (plain.count(step) == 1) plain[step] = marks;
      }
      ASSERT_EQ(FaultOf(list), "");
      for (uint64_t k = 0; k < 70; k++) {
        const Children* found = FindChild(list, k);
        ASSERT_EQ(found != nullptr, plain.count(k) == 1);
        if (found != nullptr) {
          ASSERT_EQ((Marks{found->shared, found->has_children}), plain[k]);
        }
      }
    }
  }
  std::vector<Children> list;
  EXPECT_FALSE(ListChildren(&list, 0, 0));
  EXPECT_FALSE(ListChildren(&list, UINT64_MAX, 2));
  EXPECT_TRUE(ListChildren(&list, UINT64_MAX, 1));
  EXPECT_TRUE(ListChildren(&list, 0, 10'000));
  EXPECT_EQ(list.size(), 2u) << "a fan-out is one range";
}

}  // namespace
}  // namespace teal::runtime::record
