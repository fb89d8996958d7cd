#include "core/host/search.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/host/trust.h"
#include "samples.h"

namespace teal::host {
namespace {

nlohmann::json WithId(const std::string& id) {
  return {{"id", id}};
}

TEST(Search, LooksInTheOrderOfThePlaces) {
  ::setenv("TEAL_PLUGIN_PATH", "/env/one::/env/two", 1);
  ::setenv("HOME", "/home/me", 1);
  ::unsetenv("XDG_DATA_HOME");
  const std::vector<SearchPlace> places = SearchPath({{"/flag/x.so"}, "/project"});
  ::unsetenv("TEAL_PLUGIN_PATH");
  ASSERT_EQ(places.size(), 7U);
  EXPECT_EQ(places[0].path, "/flag/x.so");
  EXPECT_EQ(places[1].path, "/env/one");
  EXPECT_EQ(places[2].path, "/env/two");
  EXPECT_EQ(places[3].path, "/project/.teal/plugins");
  EXPECT_EQ(places[4].path, "/home/me/.local/share/teal/plugins");
  EXPECT_EQ(places[5].path, std::string(TEAL_BINARY_DIR) + "/lib/teal/plugins");
  EXPECT_EQ(places[6].path, fs::path(TEAL_BINARY_DIR).parent_path().string() + "/lib/teal/plugins");
  for (size_t i = 0; i < places.size(); ++i) EXPECT_EQ(NeedsTrust(places[i].origin), i < 4) << i;
}

TEST(Search, TheFirstOfAnIdIsTheOne) {
  const TempFolder a;
  const TempFolder b;
  PutPlugin(a.path(), "x", WithId("sample"));
  PutPlugin(b.path(), "y", WithId("sample"));
  WriteFile(b / "other.teal-plugin.json", "{");
  const std::vector<SearchPlace> places = {
      {a.path(), Origin::kProject}, {b.path(), Origin::kInstall}, {"/nowhere", Origin::kUser}};
  const std::vector<FoundPlugin> all = FindPlugins(places);
  ASSERT_EQ(all.size(), 3U);
  EXPECT_FALSE(all[0].shadowed);
  EXPECT_FALSE(all[1].manifest.ok());
  EXPECT_TRUE(all[2].shadowed);
  EXPECT_EQ(FindPlugin("sample", places).value().path, a / "sample.teal-plugin.json");
  EXPECT_NE(FindPlugin("other", places).failure().message.find("is not the JSON of a manifest"), std::string::npos);
  const Failure none = FindPlugin("sampel", places).failure();
  EXPECT_EQ(none.code, FailureCode::kNotFound);
  EXPECT_EQ(none.message, "there is no plugin \"sampel\"; did you mean \"sample\"? Looked in: " + a.path() +
                              " (project) " + b.path() + " (install) /nowhere (user)");
}

TEST(Search, AFlagNamesAManifestALibraryOrAFolder) {
  const TempFolder folder;
  const std::string manifest = PutPlugin(folder.path(), "x");
  for (const std::string& path : {manifest, folder / "sample.so", folder.path()}) {
    EXPECT_EQ(FindAt(path).path, manifest) << path;
    EXPECT_TRUE(FindAt(path).manifest.ok()) << path;
  }
  EXPECT_EQ(FindAt(folder / "none.so").manifest.failure().code, FailureCode::kNotFound);
  EXPECT_EQ(FindAt(folder / "none").manifest.failure().code, FailureCode::kNotFound);
}

TEST(Search, WhatComesFromAProjectNeedsTrust) {
  const TempFolder folder;
  const TrustStore trust = TrustStore::Read(folder / "trusted.json").value();
  const std::string manifest = PutPlugin(folder.path(), Sample("good"));
  const std::vector<SearchPlace> places = {{folder.path(), Origin::kProject}};
  const Result<FoundPlugin> found = FindPlugin("sample", places);
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(LoadFound(found.value(), trust).failure().message,
            "plugin \"sample\": nobody trusted " + (folder / "sample.so") +
                "; if you know where it comes from, run: teal plugin trust '" + manifest + "'");
  const TrustStore more =
      TrustStore::Add(folder / "trusted.json", {found.value().manifest.value().sha256, "sample", manifest}).value();
  EXPECT_TRUE(LoadFound(found.value(), more).ok());
}

}  // namespace
}  // namespace teal::host
