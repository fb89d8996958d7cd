#include "core/host/plugin.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "samples.h"

namespace teal::host {
namespace {

std::string WhyRefused(const std::string& manifest_path, const LoadOptions& options = {}) {
  const Result<Manifest> manifest = ReadManifest(manifest_path);
  if (!manifest) return manifest.failure().message;
  const Result<const Plugin*> plugin = LoadPlugin(manifest.value(), options);
  return plugin ? "(loaded)" : plugin.failure().message;
}

TEST(Plugin, IsLoadedOnce) {
  const TempFolder folder;
  const Manifest manifest = ReadManifest(PutPlugin(folder.path(), Sample("good"))).value();
  const Result<const Plugin*> plugin = LoadPlugin(manifest, {});
  ASSERT_TRUE(plugin.ok()) << plugin.failure().message;
  EXPECT_EQ(plugin.value()->id(), "sample");
  EXPECT_FALSE(plugin.value()->blocking());
  EXPECT_NE(plugin.value()->Interface("teal.memory/1"), nullptr);
  EXPECT_EQ(plugin.value()->Interface("teal.threads/1"), nullptr);
  EXPECT_EQ(LoadPlugin(manifest, {}).value(), plugin.value());
}

TEST(Plugin, SeveralAtATimeAreNotTakenForEachOther) {
  const TempFolder a;
  const TempFolder b;
  const Manifest first = ReadManifest(PutPlugin(a.path(), Sample("good"))).value();
  const Manifest second = ReadManifest(PutPlugin(b.path(), Sample("blocking"))).value();
  EXPECT_FALSE(LoadPlugin(first, {}).value()->blocking());
  EXPECT_TRUE(LoadPlugin(second, {}).value()->blocking());
}

TEST(Plugin, WhatIsNoLibraryIsTold) {
  const TempFolder folder;
  const std::string library = folder / "sample.so";
  EXPECT_EQ(WhyRefused(PutPlugin(folder.path(), "just text\n")),
            "plugin \"sample\": the library " + library + " is no shared library: it has no ELF header");
  EXPECT_EQ(WhyRefused(PutPlugin(folder.path(),
                                 "\x7f"
                                 "ELF")),
            "plugin \"sample\": the library " + library + " is cut off in its ELF header");
  EXPECT_EQ(WhyRefused(PutPlugin(folder.path(), "")),
            "plugin \"sample\": the library " + library + " is no shared library: it has no ELF header");
  std::string other = Sample("good");
  other[18] = static_cast<char>(0xb7);  // e_machine: aarch64
  EXPECT_EQ(WhyRefused(PutPlugin(folder.path(), other)),
            "plugin \"sample\": the library " + library +
                " is built for aarch64, and this machine is x86-64; get or build the one for this machine");
  std::string object = Sample("good");
  object[16] = 1;  // e_type: relocatable
  EXPECT_EQ(WhyRefused(PutPlugin(folder.path(), object)),
            "plugin \"sample\": the library " + library +
                " is an object or a program, not a shared library; link it with -shared");
  const std::string cut = Sample("good").substr(0, 4096);
  EXPECT_EQ(WhyRefused(PutPlugin(folder.path(), cut)),
            "plugin \"sample\": the library " + library + " is cut off; get or build it again");
  PutPlugin(folder.path(), "x");
  fs::remove(library);
  EXPECT_EQ(WhyRefused(folder / "sample.teal-plugin.json"),
            "plugin \"sample\": there is no library " + library + ", which its manifest names");
  fs::create_directory(library);
  EXPECT_EQ(WhyRefused(folder / "sample.teal-plugin.json"),
            "plugin \"sample\": the library " + library + " is no regular file");
}

TEST(Plugin, WhatTheLoaderSaysIsTold) {
  const TempFolder folder;
  EXPECT_EQ(WhyRefused(PutPlugin(folder.path(), Sample("unresolved"))),
            "plugin \"sample\": the loader refuses it: " + (folder / "sample.so") +
                ": undefined symbol: teal_sample_nobody_defines_this");
  EXPECT_EQ(
      WhyRefused(PutPlugin(folder.path(), Sample("no_entry"))),
      "plugin \"sample\": the library " + (folder / "sample.so") + " is no plugin: it does not export teal_plugin_v1");
}

// What was loaded and turned out to be no plugin stays loaded; the next must not be taken for it.
TEST(Plugin, ALibraryAfterARefusedOneIsItsOwn) {
  const TempFolder a;
  const TempFolder b;
  EXPECT_NE(WhyRefused(PutPlugin(a.path(), Sample("no_entry"))), "(loaded)");
  EXPECT_EQ(WhyRefused(PutPlugin(b.path(), Sample("good"))), "(loaded)");
}

TEST(Plugin, AHashThatDiffersIsRefused) {
  const TempFolder folder;
  const std::string manifest = PutPlugin(folder.path(), Sample("good"));
  const std::string changed = Sample("good");
  WriteFile(folder / "sample.so", changed);
  const std::string why = WhyRefused(manifest);
  EXPECT_NE(why.find("has the SHA-256 " + Hex(Sha256Of(changed))), std::string::npos) << why;
}

TEST(Plugin, AFileOverwrittenWhileLoadedIsRefused) {
  const TempFolder folder;
  const std::string manifest = PutPlugin(folder.path(), Sample("good"));
  EXPECT_EQ(WhyRefused(manifest), "(loaded)");
  // The hash is new, the inode is the same. What is mapped stays as it is.
  std::ofstream(folder / "sample.so", std::ios::binary | std::ios::app) << "x";
  WriteFile(manifest, SampleManifest(Hex(Sha256Of(ReadFile(folder / "sample.so")))).dump());
  EXPECT_EQ(WhyRefused(manifest), "plugin \"sample\": the library " + (folder / "sample.so") +
                                      " was overwritten while its former version is loaded; start teal again");
}

TEST(Plugin, WhatOthersCanWriteIsRefused) {
  const TempFolder folder;
  const std::string manifest = PutPlugin(folder.path(), Sample("good"));
  const std::string library = folder / "sample.so";
  for (const mode_t mode : {0622, 0602, 0620}) {
    ::chmod(library.c_str(), mode);
    EXPECT_EQ(WhyRefused(manifest), "plugin \"sample\": the library " + library +
                                        " is writable by others; run: chmod go-w '" + library + "'");
  }
  ::chmod(library.c_str(), 0644);
  ::chmod(folder.path().c_str(), 0777);
  EXPECT_EQ(WhyRefused(manifest), "plugin \"sample\": the library's folder " + folder.path() +
                                      " is writable by others; run: chmod go-w '" + folder.path() + "'");
  ::chmod(folder.path().c_str(), 0755);
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  ASSERT_EQ(::chown(library.c_str(), 12345, 12345), 0);
  EXPECT_EQ(WhyRefused(manifest), "plugin \"sample\": the library " + library +
                                      " belongs to another user (uid 12345); only your own and root's are used");
}

TEST(Plugin, AManifestThatLiesIsRefused) {
  const std::string library = Sample("good");
  const auto why = [&](const nlohmann::json& changes) {
    const TempFolder folder;
    return WhyRefused(PutPlugin(folder.path(), library, changes));
  };
  EXPECT_EQ(why({{"id", "other"}}),
            "plugin \"other\": its manifest says id \"other\", and the library says \"sample\"");
  EXPECT_EQ(why({{"version", "2.0"}}), "plugin \"sample\": its manifest says version 2.0, and the library says 1.0");
  EXPECT_EQ(why({{"abi", {{"minor", 1}}}}), "plugin \"sample\": its manifest says abi.minor 1, and the library says 0");
  EXPECT_EQ(why({{"interfaces", {"teal.memory/1", "teal.threads/1"}}}),
            "plugin \"sample\": its manifest says it offers teal.threads/1, and the library does not");
  EXPECT_EQ(why({{"interfaces", {"my.own/1"}}}),
            "plugin \"sample\": its manifest says it offers my.own/1, and the library does not");
  const TempFolder folder;
  const std::string shorter = WhyRefused(PutPlugin(folder.path(), Sample("short")));
  EXPECT_EQ(shorter.rfind("plugin \"sample\": its table is 24 bytes long, and that of ABI 1.0 ", 0), 0U) << shorter;
}

TEST(PluginDeathTest, ACrashWhileLoadingNamesThePlugin) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const TempFolder folder;
  const std::string manifest = PutPlugin(folder.path(), Sample("crash_load"));
  EXPECT_EXIT(WhyRefused(manifest), DiedBy(SIGABRT),
              "teal: error: plugin \"sample\" crashed in its initialisers \\(SIGABRT\\)");
}

// In a process of its own: what hangs in there keeps the loader's lock.
TEST(PluginDeathTest, AnInitialiserThatNeverReturnsIsGivenUp) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const TempFolder folder;
  const std::string manifest = PutPlugin(folder.path(), Sample("hang_load"));
  EXPECT_EXIT(
      {
        LoadOptions options;
        options.load_ns_max = 100'000'000;
        std::fprintf(stderr, "%s\n", WhyRefused(manifest, options).c_str());
        std::exit(3);
      },
      testing::ExitedWithCode(3), "plugin \"sample\": its initialisers did not come back within 100 ms");
}

}  // namespace
}  // namespace teal::host
