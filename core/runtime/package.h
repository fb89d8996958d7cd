// A package: the sources of a program's foreign code and the lock file of what they need, as one run of bytes. The same
// files give the same bytes: no times, no owners, no modes; docs/formats/package.md has the format. Thread-safe.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace teal::runtime {

inline constexpr size_t kPackageBytesMax = 8 << 20;         // of the whole
inline constexpr size_t kPackageFilesMax = 10'000;          // in one
inline constexpr size_t kPackagePathBytesMax = 512;         // of a file's path
inline constexpr size_t kPackagePartBytesMax = 255;         // of a part of a path, which is what file systems take
inline constexpr size_t kPackagePartsMax = 32;              // of a path
inline constexpr size_t kPackageRequirementsMax = 1 << 20;  // bytes of the lock file

struct PackageFile {
  std::string path;  // relative: parts separated by /, UTF-8
  std::string bytes;
  bool operator==(const PackageFile&) const = default;
};
struct Package {
  std::vector<PackageFile> files;
  std::string requirements;  // empty: none
  bool operator==(const Package&) const = default;
};

// Why this cannot be the path of a file in a package; empty: it can.
std::string WhyNoPackagePath(std::string_view path);

// The files in any order. kInvalid: a path that cannot be, one that is there twice, or a file where another has a
// folder; kTooLarge: a limit above.
Result<std::string> EncodePackage(Package package);

// Whatever EncodePackage gives, and nothing else: kCorrupt, with what is wrong. The files ascend by path.
Result<Package> DecodePackage(std::string_view bytes);

}  // namespace teal::runtime
