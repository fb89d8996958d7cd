// The manifest NAME.teal-plugin.json that stands beside a plugin's library. Everything the host must know before it
// runs foreign code is in it; docs/plugins.md describes each key. Reading is strict: an unknown, missing or twice
// written key is an error, since a mistyped one would otherwise be without effect.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace teal::host {

inline constexpr std::string_view kManifestEnding = ".teal-plugin.json";
inline constexpr size_t kManifestBytesMax = 256 * 1024;
inline constexpr size_t kPluginIdBytesMax = 64;
inline constexpr size_t kPluginVersionBytesMax = 64;
inline constexpr size_t kDescriptionBytesMax = 1024;
inline constexpr size_t kInterfacesMax = 32;
inline constexpr size_t kInterfaceBytesMax = 64;
inline constexpr size_t kLibraryNameBytesMax = 255;

struct Manifest {
  std::string path;         // of the manifest, absolute
  std::string id;           // [a-z][a-z0-9._-]*
  std::string version;      // printable ASCII without spaces
  std::string description;  // may be empty
  std::string library;      // a file name; the file stands beside the manifest
  std::string sha256;       // of the library: 64 lower-case hexadecimal digits
  uint32_t abi_major = 0;
  uint32_t abi_minor = 0;               // of the header the plugin was built from
  uint32_t host_minor_min = 0;          // the oldest host it works with
  std::vector<std::string> interfaces;  // "teal.memory/1", …; each once
  std::string config_schema;            // JSON: the schema of its section of teal.yaml (core/host/schema.h)

  std::string LibraryPath() const;  // absolute
};

// `path` names the file in messages and gives LibraryPath its folder. Every Failure names file and key.
Result<Manifest> ParseManifest(std::string_view text, const std::string& path);
// kNotFound if there is no such file.
Result<Manifest> ReadManifest(const std::string& path);
// The manifest's own ABI claims against this host: kInvalid with the reason if it cannot work here.
Status CheckAbi(const Manifest& manifest);

}  // namespace teal::host
