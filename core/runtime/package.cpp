#include "core/runtime/package.h"

#include <algorithm>

#include "core/proto/package.pb.h"
#include "core/vm/value.h"

namespace teal::runtime {

namespace {

constexpr std::string_view kHead = "teal package 1\n";

Failure Wrong(std::string message) {
  return Fail(FailureCode::kInvalid, std::move(message));
}

Failure Damaged(const std::string& what) {
  return Fail(FailureCode::kCorrupt, "the package is damaged: " + what);
}

Failure TooLarge(const std::string& what, size_t most, const std::string& unit) {
  return Fail(FailureCode::kTooLarge, what + " more than " + std::to_string(most) + " " + unit);
}

// A path as it may be told: those that cannot be may hold anything.
std::string Told(std::string_view path) {
  std::string told;
  for (const char c : path.substr(0, 80)) told += c >= ' ' && c < 0x7f ? c : '?';
  return "\"" + told + (path.size() > 80 ? "…\"" : "\"");
}

// Of files that ascend by path.
Status Check(const Package& package) {
  if (package.files.size() > kPackageFilesMax) return TooLarge("a package has", kPackageFilesMax, "files");
  if (package.requirements.size() > kPackageRequirementsMax) {
    return TooLarge("the lock file has", kPackageRequirementsMax, "bytes");
  }
  size_t total = 0;
  const std::string* before = nullptr;
  for (const PackageFile& file : package.files) {
    if (const std::string why = WhyNoPackagePath(file.path); !why.empty()) {
      return Wrong("the path " + Told(file.path) + " " + why);
    }
    if (before != nullptr && *before == file.path) return Wrong("the path " + Told(file.path) + " is there twice");
    before = &file.path;
    total += file.bytes.size();
    if (total > kPackageBytesMax) return TooLarge("the files of a package have", kPackageBytesMax, "bytes");
  }
  // A file `a` and a file `a/b`: others, such as `a-b`, may sort between the two.
  for (const PackageFile& file : package.files) {
    for (size_t slash = file.path.find('/'); slash != std::string::npos; slash = file.path.find('/', slash + 1)) {
      const std::string_view folder = std::string_view(file.path).substr(0, slash);
      const auto place =
          std::lower_bound(package.files.begin(), package.files.end(), folder,
                           [](const PackageFile& one, std::string_view path) { return one.path < path; });
      if (place != package.files.end() && place->path == folder) {
        return Wrong("the path " + Told(folder) + " is a file, and a folder of " + Told(file.path));
      }
    }
  }
  return Unit{};
}

std::string Serialize(const Package& package) {
  proto::Package to;
  for (const PackageFile& file : package.files) {
    proto::PackageFile* one = to.add_files();
    one->set_path(file.path);
    one->set_content(file.bytes);
  }
  to.set_requirements(package.requirements);
  std::string bytes(kHead);
  to.AppendToString(&bytes);
  return bytes;
}

}  // namespace

std::string WhyNoPackagePath(std::string_view path) {
  if (path.empty()) return "is empty";
  if (path.size() > kPackagePathBytesMax) return "is longer than " + std::to_string(kPackagePathBytesMax) + " bytes";
  if (path.front() == '/') return "is absolute";
  if (!vm::IsValidUtf8(path)) return "is no UTF-8";
  for (const char c : path) {
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f || c == '\\') return "has a character that no path may have";
  }
  size_t parts = 0;
  for (size_t at = 0; at <= path.size();) {
    const size_t end = std::min(path.find('/', at), path.size());
    const std::string_view part = path.substr(at, end - at);
    if (part.empty()) return "has an empty part";
    if (part == "." || part == "..") return "has the part " + std::string(part);
    if (part.size() > kPackagePartBytesMax) {
      return "has a part longer than " + std::to_string(kPackagePartBytesMax) + " bytes";
    }
    if (++parts > kPackagePartsMax) return "has more than " + std::to_string(kPackagePartsMax) + " parts";
    at = end + 1;
  }
  return "";
}

Result<std::string> EncodePackage(Package package) {
  std::sort(package.files.begin(), package.files.end(),
            [](const PackageFile& a, const PackageFile& b) { return a.path < b.path; });
  if (Status fits = Check(package); !fits) return fits.failure();
  std::string bytes = Serialize(package);
  if (bytes.size() > kPackageBytesMax) return TooLarge("a package has", kPackageBytesMax, "bytes");
  return bytes;
}

Result<Package> DecodePackage(std::string_view bytes) {
  if (bytes.size() > kPackageBytesMax) return TooLarge("a package has", kPackageBytesMax, "bytes");
  if (!bytes.starts_with(kHead)) return Damaged("it does not begin with \"teal package 1\"");
  proto::Package from;
  const std::string_view body = bytes.substr(kHead.size());
  if (!from.ParseFromArray(body.data(), static_cast<int>(body.size()))) return Damaged("it cannot be read");
  Package package;
  package.requirements = from.requirements();
  package.files.reserve(static_cast<size_t>(from.files_size()));
  for (proto::PackageFile& file : *from.mutable_files()) {
    package.files.push_back({std::move(*file.mutable_path()), std::move(*file.mutable_content())});
  }
  for (size_t i = 1; i < package.files.size(); ++i) {
    if (!(package.files[i - 1].path < package.files[i].path)) return Damaged("its files are not in order");
  }
  if (Status fits = Check(package); !fits) return Damaged(fits.failure().message);
  // One run of bytes for one package: nothing unknown, nothing twice, nothing out of order.
  if (Serialize(package) != bytes) return Damaged("it is not as packages are written");
  return package;
}

}  // namespace teal::runtime
