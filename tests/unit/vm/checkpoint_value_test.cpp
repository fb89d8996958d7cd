// Single values as bytes: EncodeValue and DecodeValue.
#include "core/proto/state.pb.h"
#include "core/vm/checkpoint_crc.h"
#include "tests/unit/vm/checkpoint_test_util.h"

namespace teal::vm {
namespace {

std::string Encoded(const Value& value) {
  Result<std::string> bytes = EncodeValue(value);
  EXPECT_TRUE(bytes.ok());
  return std::move(bytes).value();
}

// The same value again: it writes the same bytes, and reads the same to people.
void ExpectComesBack(const Value& value) {
  const std::string bytes = Encoded(value);
  Result<Value> again = DecodeValue(bytes, Holder().get());
  ASSERT_TRUE(again.ok()) << again.failure().message;
  EXPECT_EQ(Encoded(*again), bytes);
  EXPECT_EQ(SourceForm(*again), SourceForm(value));
  proto::SingleValue message;
  ASSERT_TRUE(message.ParseFromString(bytes));
  EXPECT_EQ(message.SerializeAsString(), bytes);
}

TEST(CheckpointValue, EveryKindComesBack) {
  ExpectComesBack(Value());
  for (int64_t i : {int64_t{0}, int64_t{1}, int64_t{-1}, int64_t{63}, int64_t{64}, INT64_MAX, INT64_MIN})
    ExpectComesBack(Value::Int(i));
  for (double d : {0.0, -0.0, 1.5, 1e300, static_cast<double>(INFINITY)}) ExpectComesBack(Value::Float(d));
  ExpectComesBack(MakeString(""));
  ExpectComesBack(MakeList());
  ExpectComesBack(MakeHash());
  ExpectComesBack(MakeSecret("token"));
  for (uint64_t seed = 0; seed < Rounds(400u); seed++) ExpectComesBack(RandomValues(seed).Next(5));
}

TEST(CheckpointValue, KeepsTheBitsOfNan) {
  const Value nan = Value::Float(std::bit_cast<double>(0x7ff8000000001234u));
  Result<Value> again = DecodeValue(Encoded(nan), nullptr);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(std::bit_cast<uint64_t>(again->AsFloat()), 0x7ff8000000001234u);
}

TEST(CheckpointValue, WritesASharedObjectOnce) {
  Value shared = MakeString(std::string(500, 'x'));
  Value value = ListOf({shared, shared, ListOf({shared})});
  const std::string bytes = Encoded(value);
  EXPECT_LT(bytes.size(), 600u);
  Result<Value> again = DecodeValue(bytes, nullptr);
  ASSERT_TRUE(again.ok());
  const List* list = again->As<List>();
  EXPECT_EQ(list->items[0].AsObject(), list->items[1].AsObject());
  EXPECT_EQ(list->items[0].AsObject(), list->items[2].As<List>()->items[0].AsObject());
}

TEST(CheckpointValue, DoublingValuesStaySmall) {
  Value value = ListOf({Value::Int(1)});
  for (int i = 0; i < 60; i++) value = ListOf({value, value});
  const std::string bytes = Encoded(value);
  EXPECT_LT(bytes.size(), 1000u);
  EXPECT_TRUE(DecodeValue(bytes, nullptr).ok());
}

TEST(CheckpointValue, DepthIsNoLimit) {
  Value value;
  for (int i = 0; i < Rounds(1000000); i++) value = ListAppend(MakeList(1), std::move(value));
  const std::string bytes = Encoded(value);
  Result<Value> again = DecodeValue(bytes, nullptr);
  ASSERT_TRUE(again.ok()) << again.failure().message;
  EXPECT_EQ(Encoded(*again), bytes);
}

TEST(CheckpointValue, HolesStayWhereTheyAre) {
  Value hash = MakeHash();
  for (int64_t i = 0; i < 1000; i++) hash = HashSet(std::move(hash), Value::Int(i), Value::Int(i));
  for (int64_t i = 0; i < 400; i++) hash = HashDel(std::move(hash), Value::Int(i * 2));
  ASSERT_EQ(hash.As<Hash>()->used, 1000u);
  Result<Value> again = DecodeValue(Encoded(hash), nullptr);
  ASSERT_TRUE(again.ok()) << again.failure().message;
  const Hash* read = again->As<Hash>();
  ASSERT_EQ(read->used, 1000u);
  EXPECT_EQ(read->size, 600u);
  for (uint64_t i = 0; i < 1000; i++)
    EXPECT_EQ(Hash::IsHole(read->entries[i]), Hash::IsHole(hash.As<Hash>()->entries[i]));
  EXPECT_TRUE(Equal(*again, hash));
  EXPECT_EQ(HashGet(*read, Value::Int(0)), nullptr);
  ASSERT_NE(HashGet(*read, Value::Int(1)), nullptr);
  EXPECT_EQ(HashGet(*read, Value::Int(1))->AsInt(), 1);
  ExpectComesBack(hash);
}

TEST(CheckpointValue, FunctionsNeedAProgram) {
  Result<Value> none = DecodeValue(Encoded(Value::Function(2)), nullptr);
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.failure().code, FailureCode::kInvalid);
  EXPECT_EQ(none.failure().message, "value: a function, which needs a program, at byte 7");
  EXPECT_FALSE(DecodeValue(Encoded(Value::Function(9)), Holder().get()).ok());
  EXPECT_FALSE(DecodeValue(Encoded(Value::Function(1)), Holder().get()).ok());  // it captures
  EXPECT_FALSE(DecodeValue(Encoded(Value::Foreign(1)), Holder().get()).ok());
  EXPECT_FALSE(DecodeValue(Encoded(Value::Builtin(255)), nullptr).ok());
}

TEST(CheckpointValue, EveryDamageIsFound) {
  for (uint64_t seed = 0; seed < 6; seed++) {
    const std::string bytes =
        Encoded(ListOf({RandomValues(seed).Next(2), MakeString("text"), Value::Int(77)})).substr(0, 20000);
    for (size_t cut = 0; cut < std::min<size_t>(bytes.size(), 3000); cut++)
      EXPECT_FALSE(DecodeValue(bytes.substr(0, cut), Holder().get()).ok());
    for (size_t bit = 0; bit < std::min<size_t>(bytes.size(), 500) * 8; bit++) {
      std::string damaged = bytes;
      damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ 1 << bit % 8);
      Result<Value> value = DecodeValue(damaged, Holder().get());
      ASSERT_FALSE(value.ok());
      EXPECT_EQ(value.failure().code, FailureCode::kCorrupt);
    }
  }
}

TEST(CheckpointValue, TheCheckIsTheSameByProcessorAndByTable) {
  EXPECT_EQ(Crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(TableCrc32c("123456789"), 0xe3069283u);
  std::mt19937_64 random(5);
  for (size_t size = 0; size < 300; size++) {
    std::string bytes;
    while (bytes.size() < size) bytes += static_cast<char>(random());
    EXPECT_EQ(Crc32c(bytes), TableCrc32c(bytes)) << size;
  }
}

// Bytes with a right check, whatever they hold.
std::string Checked(std::string bytes) {
  proto::SingleValue end;
  end.set_check(Crc32c(bytes));
  return bytes + end.SerializeAsString();
}

TEST(CheckpointValue, ForgedBytesDoNoHarm) {
  const std::string good = Encoded(RandomValues(3).Next(4));
  const std::string body = good.substr(0, good.size() - 5);
  std::mt19937_64 random(1);
  for (int n = 0; n < Rounds(20000); n++) {
    std::string forged = body;
    for (int changes = 1 + static_cast<int>(random() % 3); changes > 0; changes--)
      forged[random() % forged.size()] = static_cast<char>(random());
    forged = Checked(forged);
    Result<Value> value = DecodeValue(forged, Holder().get());
    if (value.ok()) {
      EXPECT_EQ(Encoded(*value), forged);
    }
  }
}

TEST(CheckpointValue, OneFormOnly) {
  auto refused = [](std::string_view cells, const std::string& what) {
    Result<Value> value = DecodeValue(Checked("\x08\x01" + std::string(cells)), nullptr);
    ASSERT_FALSE(value.ok()) << what;
    EXPECT_NE(value.failure().message.find(what), std::string::npos) << value.failure().message;
  };
  using namespace std::string_view_literals;
  ASSERT_TRUE(DecodeValue(Checked("\x08\x01\x12\x02\x18\x02"), nullptr).ok());
  refused("\x12\x03\x18\x82\x00"sv, "a number is longer than it need be, at byte 7");
  refused("\x12\x04\x18\x02\x18\x02"sv, "not known or not in order, at byte 6");
  refused("\x12\x02\x18\x02\x12\x02\x18\x02"sv, "not known or not in order, at byte 6");
  refused("\x12\x02\x18\x02\x20\x01"sv, "not known or not in order, at byte 6");
  refused("\x12\x02\x08\x02"sv, "a mark that is not 1");
  refused("\x12\x02\x10\x02"sv, "a boolean that is neither 0 nor 1");
  refused("\x12\x03\x2a\x01\xff"sv, "not UTF-8");
  refused("\x12\x02\x70\x00"sv, "a reference to no object before it");
  refused("\x12\x02\x48\x01"sv, "beyond the end");
  refused("\x12\x02\x48\x01\x12\x02\x70\x00"sv, "a reference to no object before it");
  refused("\x12\x02\x50\x01\x12\x02\x18\x02"sv, "a value must stand here");
  refused("\x12\x02\x50\x02\x12\x02\x18\x02\x12\x02\x18\x04\x12\x02\x18\x02\x12\x02\x18\x04"sv, "twice");
  refused("\x12\x03\x88\x01\x01"sv, "a hole where no key can stand");
  refused(
      "\x12\x22\x82\x01\x20"
      "01234567890123456789012345678901"sv.substr(0, 5 + 31),
      "a length is beyond the end");
}

}  // namespace
}  // namespace teal::vm
