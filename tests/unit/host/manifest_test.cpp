#include "core/host/manifest.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "samples.h"

namespace teal::host {
namespace {

using nlohmann::json;

const std::string kHash(64, 'a');

std::string FailureOf(const std::string& text) {
  const Result<Manifest> manifest = ParseManifest(text, "/p/x.teal-plugin.json");
  return manifest ? "(none)" : manifest.failure().message;
}

std::string FailureWith(const json& changes) {
  json manifest = SampleManifest(kHash);
  manifest.merge_patch(changes);
  return FailureOf(manifest.dump());
}

TEST(Manifest, IsRead) {
  const Result<Manifest> manifest = ParseManifest(SampleManifest(kHash).dump(), "/p/x.teal-plugin.json");
  ASSERT_TRUE(manifest.ok()) << manifest.failure().message;
  EXPECT_EQ(manifest.value().id, "sample");
  EXPECT_EQ(manifest.value().version, "1.0");
  EXPECT_EQ(manifest.value().LibraryPath(), "/p/sample.so");
  EXPECT_EQ(manifest.value().abi_major, 1U);
  EXPECT_EQ(manifest.value().interfaces, std::vector<std::string>{"teal.memory/1"});
  EXPECT_EQ(manifest.value().config_schema, R"({"type":"object"})");
  EXPECT_TRUE(CheckAbi(manifest.value()).ok());
}

TEST(Manifest, NamesFileAndKeyOfWhatIsWrong) {
  const std::string at = "/p/x.teal-plugin.json: ";
  EXPECT_EQ(FailureWith({{"id", nullptr}}), at + "\"id\" is missing");
  EXPECT_EQ(FailureWith({{"id", "Sample"}}),
            at + "\"id\" must be lower-case letters, digits, '.', '_' and '-', a letter first, and is \"Sample\"");
  EXPECT_EQ(FailureWith({{"id", std::string(65, 'a')}}), at + "\"id\" is longer than 64 bytes");
  EXPECT_EQ(FailureWith({{"version", 1}}), at + "\"version\" must be a string, and is an integer");
  EXPECT_EQ(FailureWith({{"library", "../evil.so"}}),
            at + "\"library\" must be the name of a file beside the manifest, without a folder, and is \"../evil.so\"");
  EXPECT_EQ(FailureWith({{"sha256", "AB"}}), at + "\"sha256\" must be 64 lower-case hexadecimal digits, and is \"AB\"");
  EXPECT_EQ(FailureWith({{"abi", {{"minor", -1}}}}),
            at + "\"abi.minor\" must be an integer from 0 to 4294967295, and is -1");
  EXPECT_EQ(FailureWith({{"abi", {{"mayor", 1}}}}),
            at + "\"abi.mayor\" is no key of a manifest; did you mean \"major\"?");
  EXPECT_EQ(FailureWith({{"descripton", "x"}}),
            at + "\"descripton\" is no key of a manifest; did you mean \"description\"?");
  EXPECT_EQ(FailureWith({{"interfaces", {"teal.memory"}}}),
            at + "\"interfaces\" must hold ids such as \"teal.memory/1\", and has \"teal.memory\"");
  EXPECT_EQ(FailureWith({{"interfaces", {"a/1", "a/1"}}}), at + "\"interfaces\" has \"a/1\" twice");
  EXPECT_EQ(FailureWith({{"interfaces", json::array()}}), at + "\"interfaces\" must be a list of 1 to 32 strings");
  EXPECT_EQ(FailureWith({{"config", {{"type", "string"}}}}),
            at + "\"config\" must be the JSON Schema of an object: {\"type\": \"object\", …}");
  EXPECT_EQ(FailureWith({{"manifest", 2}}),
            at + "\"manifest\" is 2, and this version of teal reads 1; install a teal that knows it");
}

TEST(Manifest, IsReadStrictly) {
  const std::string at = "/p/x.teal-plugin.json: ";
  EXPECT_EQ(FailureOf("[]"), at + "must hold an object, and holds a list");
  EXPECT_EQ(FailureOf("{\"id\": 1,\n \"id\": 2}"),
            at + "is not the JSON of a manifest: the key \"id\" is there twice in one object");
  EXPECT_NE(FailureOf("{\n  \"id\": }").find(at + "is not the JSON of a manifest: line 2, column 9: "),
            std::string::npos)
      << FailureOf("{\n  \"id\": }");
  EXPECT_EQ(FailureOf(std::string(100, '[') + std::string(100, ']')),
            at + "is not the JSON of a manifest: it is nested deeper than 64 levels");
  EXPECT_EQ(FailureOf(std::string(kManifestBytesMax + 1, ' ')), at + "is larger than 262144 bytes");
  EXPECT_NE(FailureOf("{\"id\": \"\xff\"}").find("is not the JSON of a manifest"), std::string::npos);
}

TEST(Manifest, TellsWhatTheAbiDoesNotAllow) {
  const auto why = [](const json& changes) {
    json manifest = SampleManifest(kHash);
    manifest.merge_patch(changes);
    const Status status = CheckAbi(ParseManifest(manifest.dump(), "/p/x.teal-plugin.json").value());
    return status ? "(none)" : status.failure().message;
  };
  EXPECT_EQ(why({{"abi", {{"major", 2}}}}),
            "plugin \"sample\": it is built for ABI 2, and this teal has ABI 1.0; get a plugin built for 1");
  EXPECT_EQ(why({{"abi", {{"minor", 3}, {"host_minor_min", 3}}}}),
            "plugin \"sample\": it needs a host with ABI 1.3 or later, and this teal has 1.0; update teal");
  EXPECT_EQ(why({{"abi", {{"minor", 3}, {"host_minor_min", 0}}}}), "(none)");
}

TEST(Manifest, ReadsNothingButFiles) {
  const TempFolder folder;
  EXPECT_EQ(ReadManifest(folder / "none.json").failure().code, FailureCode::kNotFound);
  EXPECT_EQ(ReadManifest(folder.path()).failure().message, folder.path() + ": is no regular file");
  ASSERT_EQ(::mkfifo((folder / "fifo").c_str(), 0600), 0);
  EXPECT_EQ(ReadManifest(folder / "fifo").failure().message, (folder / "fifo") + ": is no regular file");
}

}  // namespace
}  // namespace teal::host
