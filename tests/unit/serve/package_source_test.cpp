// Which files of a project belong to its package, and the copies that worker processes see.
#include "core/serve/package_source.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "core/serve/package_folder.h"

namespace teal::serve {
namespace {

namespace fs = std::filesystem;

class PackageFiles : public testing::Test {
 protected:
  void SetUp() override {
    std::string made = (fs::temp_directory_path() / "teal-package-XXXXXX").string();
    ASSERT_NE(::mkdtemp(made.data()), nullptr);
    folder_ = made;
    source_.folder = made + "/project";
    fs::create_directory(source_.folder);
  }
  void TearDown() override { RemoveTree(folder_); }

  void Write(const std::string& path, const std::string& bytes = "x") const {
    const fs::path file = fs::path(source_.folder) / path;
    fs::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << bytes;
  }
  std::string Paths() const {
    const Result<runtime::Package> package = CollectPackage(source_);
    if (!package.ok()) return "failed: " + package.failure().message;
    std::string paths;
    for (const runtime::PackageFile& file : package.value().files) paths += (paths.empty() ? "" : " ") + file.path;
    return paths;
  }

  std::string folder_;
  PackageSource source_;
};

TEST_F(PackageFiles, WhatGoesIn) {
  for (const char* path : {"steps.py", "service.tl", "teal.yaml", "notes.txt", "src/main.py", "src/data.json",
                           "src/deep/er.txt", "src/__pycache__/main.cpython-311.pyc", "src/old.pyc", "src/.secret",
                           ".env", ".git/config.py", ".venv/lib/x.py", "helpers/x.py", "data/big.bin",
                           "named/only/data.json", "node_modules/a.py", "env/pyvenv.cfg", "env/lib.py"}) {
    Write(path);
  }
  source_.modules = {"src.main", "named.thing"};
  EXPECT_EQ(Paths(), "helpers/x.py named/only/data.json src/data.json src/deep/er.txt src/main.py steps.py");
  source_.part = "src";
  EXPECT_EQ(Paths(), "src/data.json src/deep/er.txt src/main.py");
  source_.part = ".";
  EXPECT_EQ(Paths(),
            "data/big.bin helpers/x.py named/only/data.json notes.txt service.tl src/data.json src/deep/er.txt "
            "src/main.py steps.py teal.yaml");
  source_.part = "nowhere";
  EXPECT_TRUE(Paths().starts_with("failed: ")) << Paths();
}

TEST_F(PackageFiles, LinksStayInside) {
  Write("src/main.py");
  fs::create_symlink("main.py", source_.folder + "/src/again.py");
  EXPECT_EQ(Paths(), "src/again.py src/main.py");
  fs::create_symlink("/etc", source_.folder + "/elsewhere");  // none of the code
  EXPECT_EQ(Paths(), "src/again.py src/main.py");
  fs::create_symlink("/etc/hostname", source_.folder + "/src/host");
  EXPECT_NE(Paths().find("src/host is a link that leads out of"), std::string::npos) << Paths();
  fs::remove(source_.folder + "/src/host");
  fs::create_symlink("../../outside", source_.folder + "/steps.py");  // leads nowhere
  EXPECT_NE(Paths().find("steps.py is a link"), std::string::npos) << Paths();
  fs::remove(source_.folder + "/steps.py");
  fs::create_symlink(".", source_.folder + "/src/circle");
  EXPECT_NE(Paths().find("makes a circle"), std::string::npos) << Paths();
}

TEST_F(PackageFiles, TooMuch) {
  Write("a.py", std::string(5 << 20, 'x'));
  EXPECT_EQ(Paths(), "a.py");
  Write("b.py", std::string(5 << 20, 'x'));
  EXPECT_NE(Paths().find("8 MiB, up to"), std::string::npos) << Paths();
  EXPECT_NE(Paths().find("python: {source: src}"), std::string::npos) << Paths();
}

TEST_F(PackageFiles, Requirements) {
  Write("a.py");
  Write("requirements.txt", "# none\n \t# yet\r\n\n");
  source_.requirements = source_.folder + "/requirements.txt";
  EXPECT_EQ(CollectPackage(source_).value().requirements, "");
  Write("requirements.txt", "# one\nsix==1.16.0\n");
  EXPECT_EQ(CollectPackage(source_).value().requirements, "# one\nsix==1.16.0\n");
  source_.requirements = source_.folder + "/none.txt";
  EXPECT_FALSE(CollectPackage(source_).ok());
}

TEST_F(PackageFiles, AGlanceSeesChanges) {
  Write("src/main.py", "1");
  const std::string first = GlanceAt(source_);
  EXPECT_EQ(GlanceAt(source_), first);
  Write("src/main.py", "22");
  const std::string second = GlanceAt(source_);
  EXPECT_NE(second, first);
  Write("src/new.py");
  EXPECT_NE(GlanceAt(source_), second);
}

TEST_F(PackageFiles, CopiesAreUnpackedAndMended) {
  const runtime::Package package{{{"a.py", "one"}, {"src/deep/b.py", ""}, {"src/c", {"\0\n", 2}}}, ""};
  const Sha256 hash = Sha256Of("any");
  const std::string data = folder_ + "/data";
  fs::create_directory(data);
  std::string copy;
  const auto provide = [&] {
    PackageFolder packages(data);  // a host that begins
    const Result<std::string> provided = packages.Provide(hash, package);
    ASSERT_TRUE(provided.ok()) << provided.failure().message;
    copy = provided.value();
    PackageSource there;
    there.folder = copy;
    there.part = ".";
    const Result<runtime::Package> found = CollectPackage(there);
    ASSERT_TRUE(found.ok()) << found.failure().message;
    EXPECT_EQ(runtime::EncodePackage(found.value()).value(), runtime::EncodePackage(package).value());
  };
  provide();
  EXPECT_EQ(copy, data + "/packages/" + Hex(hash));
  struct stat status{};
  ASSERT_EQ(::stat((copy + "/src/c").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777u, 0444u);
  ASSERT_EQ(::stat((copy + "/src").c_str(), &status), 0);
  const ino_t inode = status.st_ino;
  provide();
  ASSERT_EQ(::stat((copy + "/src").c_str(), &status), 0);
  EXPECT_EQ(status.st_ino, inode) << "what is whole stays";
  // Changed, with one too many, with one too few, gone, half of another life.
  ::chmod((copy + "/a.py").c_str(), 0644);
  std::ofstream(copy + "/a.py") << "two";
  provide();
  std::ofstream(copy + "/src/more.py") << "";
  provide();
  fs::remove(copy + "/src/c");
  provide();
  RemoveTree(copy);
  fs::create_directories(data + "/packages/.half-abcdef/src");
  provide();
  EXPECT_FALSE(fs::exists(data + "/packages/.half-abcdef"));
  PackageFolder packages(data);
  packages.Forget(hash);
  EXPECT_FALSE(fs::exists(copy));
}

TEST_F(PackageFiles, ACopyThatCannotBeMade) {
  const std::string data = folder_ + "/data";
  fs::create_directory(data);
  std::ofstream(data + "/packages") << "in the way";
  PackageFolder packages(data);
  const Result<std::string> provided = packages.Provide(Sha256Of("any"), {{{"a.py", "one"}}, ""});
  ASSERT_FALSE(provided.ok());
  EXPECT_EQ(provided.failure().code, FailureCode::kUnavailable);
  fs::remove(data + "/packages");
  EXPECT_TRUE(packages.Provide(Sha256Of("any"), {{{"a.py", "one"}}, ""}).ok());
}

}  // namespace
}  // namespace teal::serve
