// Blobs: pieces, ranges, the first of a name, what was left open.
#include "tests/plugins/k8s/both.h"

namespace teal::k8s_test {
namespace {

std::string Pattern(std::size_t size) {
  std::string out(size, '\0');
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>(i * 31 + i / 251);
  return out;
}

void Write(const Store& store, std::string_view name, std::string_view data, std::size_t piece) {
  const auto opened = store.memory().BlobOpenNow(name);
  ASSERT_OK(opened);
  for (std::size_t at = 0; at < data.size(); at += piece) {
    const host::Error error = store.memory().BlobWriteNow(opened.handle, data.substr(at, piece));
    ASSERT_TRUE(error.Ok()) << error.message;
  }
  EXPECT_EQ(store.memory().BlobGetNow(name, 0, 10).error.code, TEAL_NOT_FOUND) << "seen before its commit";
  const host::Error error = store.memory().BlobCommitNow(opened.handle);
  ASSERT_TRUE(error.Ok()) << error.message;
}

TEST_P(Both, PiecesOfAnySizeJoin) {
  constexpr std::size_t kChunk = 256 << 10;
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, kChunk - 1, kChunk, kChunk + 1, 3 * kChunk + 5, 20 * kChunk + 77}) {
    for (const std::size_t piece : {std::size_t{100'003}, kChunk, 10 * kChunk}) {
      const std::string name = "b" + std::to_string(size) + "/" + std::to_string(piece);
      const std::string data = Pattern(size);
      Write(store, name, data, piece);
      const auto whole = store.memory().BlobGetNow(name, 0, ~0ULL);
      ASSERT_OK(whole);
      EXPECT_TRUE(whole.bytes == data) << name;
      for (const uint64_t offset :
           {uint64_t{0}, uint64_t{5}, kChunk - 1, kChunk, uint64_t{size / 2}, uint64_t{size}, size + 9}) {
        for (const uint64_t length : {uint64_t{0}, uint64_t{1}, uint64_t{kChunk}, uint64_t{kChunk + 3}}) {
          const auto range = store.memory().BlobGetNow(name, offset, length);
          ASSERT_OK(range);
          EXPECT_TRUE(range.bytes == (offset < size ? data.substr(offset, length) : ""))
              << name << " " << offset << " " << length;
        }
      }
    }
  }
}

TEST_P(Both, TheFirstOfANameStays) {
  Write(store, "name", "first", 2);
  const auto second = store.memory().BlobOpenNow("name");
  ASSERT_TRUE(store.memory().BlobWriteNow(second.handle, Pattern(600'000)).Ok());
  ASSERT_TRUE(store.memory().BlobCommitNow(second.handle).Ok());
  EXPECT_EQ(store.memory().BlobGetNow("name", 0, 100).bytes, "first");
  EXPECT_EQ(Sql("SELECT count(*) FROM \"" + schema + "\".blob_chunk"), "1") << "what was not needed was kept";
  ASSERT_TRUE(store.memory().BlobDeleteNow("name").Ok());
  ASSERT_TRUE(store.memory().BlobDeleteNow("name").Ok());
  EXPECT_EQ(store.memory().BlobGetNow("name", 0, 100).error.code, TEAL_NOT_FOUND);
  EXPECT_EQ(Sql("SELECT count(*) FROM \"" + schema + "\".blob_chunk"), "0");
  Write(store, "name", "again", 2);
  EXPECT_EQ(store.memory().BlobGetNow("name", 0, 100).bytes, "again");
}

TEST_P(Both, HandlesEndOnceAndWhatIsGivenUpGoes) {
  const auto aborted = store.memory().BlobOpenNow("aborted");
  ASSERT_TRUE(store.memory().BlobWriteNow(aborted.handle, Pattern(600'000)).Ok());
  store.memory().table()->blob_abort(store.instance(), aborted.handle);
  EXPECT_EQ(store.memory().BlobWriteNow(aborted.handle, "x").code, TEAL_INVALID);
  EXPECT_EQ(store.memory().BlobCommitNow(aborted.handle).code, TEAL_INVALID);
  EXPECT_EQ(store.memory().BlobCommitNow(12345).code, TEAL_INVALID);
  const auto left_open = store.memory().BlobOpenNow("open");
  EXPECT_NE(left_open.handle, aborted.handle);
  ASSERT_TRUE(store.memory().BlobWriteNow(left_open.handle, Pattern(600'000)).Ok());
  store.Close();
  EXPECT_EQ(Sql("SELECT count(*) FROM \"" + schema + "\".blob_upload"), "0");
  EXPECT_EQ(Sql("SELECT count(*) FROM \"" + schema + "\".blob_chunk"), "0");
}

TEST_P(Both, AnUploadNobodyGoesOnWithIsDropped) {
  const auto opened = store.memory().BlobOpenNow("slow");
  ASSERT_TRUE(store.memory().BlobWriteNow(opened.handle, Pattern(600'000)).Ok());
  const uint64_t now = store.host().Now();
  EXPECT_EQ(Sql("SELECT \"" + schema + "\".drop_uploads(" + Stored(now - 3600 * kSecond) + ")"), "0");
  EXPECT_EQ(Sql("SELECT \"" + schema + "\".drop_uploads(" + Stored(now + 3600 * kSecond) + ")"), "1");
  EXPECT_EQ(Sql("SELECT count(*) FROM \"" + schema + "\".blob_chunk"), "0");
  const host::Error error = store.memory().BlobCommitNow(opened.handle);
  EXPECT_EQ(error.code, TEAL_NOT_FOUND);
  EXPECT_NE(error.message.find("write it anew"), std::string::npos);
}

}  // namespace
}  // namespace teal::k8s_test
