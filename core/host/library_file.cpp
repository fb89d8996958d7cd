#include "core/host/library_file.h"

#include <elf.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>

#include "core/base/sha256.h"
#include "core/host/plugin.h"
#include "core/host/trust.h"

namespace teal::host {
namespace {

#if defined(__x86_64__)
constexpr uint16_t kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr uint16_t kMachine = EM_AARCH64;
#elif defined(__riscv)
constexpr uint16_t kMachine = EM_RISCV;
#else
#error "name this machine's kind as <elf.h> does"
#endif

std::string MachineName(uint16_t machine) {
  switch (machine) {
    case EM_X86_64:
      return "x86-64";
    case EM_AARCH64:
      return "aarch64";
    case EM_RISCV:
      return "riscv";
    case EM_386:
      return "32-bit x86";
    case EM_ARM:
      return "32-bit arm";
    default:
      return "machine number " + std::to_string(machine);
  }
}

// Why the loader could not take a file that begins like this; empty if it may.
std::string WhyNoLibrary(const Elf64_Ehdr& header, size_t size) {
  if (size < SELFMAG || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) {
    return "is no shared library: it has no ELF header";
  }
  if (size < sizeof header) return "is cut off in its ELF header";
  const bool same_order = header.e_ident[EI_DATA] == ELFDATA2LSB;
  if (!same_order) return "is built for a big-endian machine, and this one is " + MachineName(kMachine);
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != kMachine) {
    return "is built for " + MachineName(header.e_machine) + ", and this machine is " + MachineName(kMachine) +
           "; get or build the one for this machine";
  }
  if (header.e_type != ET_DYN) return "is an object or a program, not a shared library; link it with -shared";
  return {};
}

// Whether every part that the loader maps is in the file: past its end a mapping gives SIGBUS, not an error.
bool IsWhole(int fd, const Elf64_Ehdr& header, uint64_t size) {
  if (header.e_phentsize != sizeof(Elf64_Phdr)) return false;
  for (uint64_t i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr part{};
    const auto at = static_cast<off_t>(header.e_phoff + i * sizeof part);
    if (::pread(fd, &part, sizeof part, at) != static_cast<ssize_t>(sizeof part)) return false;
    if (part.p_type == PT_LOAD && (part.p_offset > size || part.p_filesz > size - part.p_offset)) return false;
  }
  return true;
}

Result<std::string> HashOf(int fd, const std::string& path) {
  sha256_ctx context;
  sha256_init(&context);
  constexpr size_t kPiece = 256 * 1024;
  const auto piece = std::make_unique<uint8_t[]>(kPiece);
  for (uint64_t at = 0;;) {
    const ssize_t got = ::pread(fd, piece.get(), kPiece, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Fail(FailureCode::kUnavailable, "the library " + path + " cannot be read: " + ErrnoText(errno));
    if (got == 0) break;
    at += static_cast<uint64_t>(got);
    if (at > kLibraryBytesMax) {
      return Fail(FailureCode::kTooLarge,
                  "the library " + path + " is larger than " + std::to_string(kLibraryBytesMax) + " bytes");
    }
    sha256_update(&context, static_cast<size_t>(got), piece.get());
  }
  Sha256 digest{};
  sha256_digest(&context, digest.size(), digest.data());
  return Hex(digest);
}

}  // namespace

Result<LibraryFile> OpenLibraryFile(const std::string& path) {
  const auto refuse = [&](const std::string& why) {
    return Fail(FailureCode::kInvalid, "the library " + path + " " + why);
  };
  const std::string folder = FolderOf(path);
  const UniqueFd directory(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory) {
    return Fail(FailureCode::kNotFound, "its folder " + folder + " cannot be opened: " + ErrnoText(errno));
  }
  const std::string name = path.substr(folder.size() + (folder == "/" ? 0 : 1));
  LibraryFile library;
  library.fd = UniqueFd(::openat(directory.get(), name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!library.fd) {
    if (errno == ENOENT) {
      return Fail(FailureCode::kNotFound, "there is no library " + path + ", which its manifest names");
    }
    return Fail(FailureCode::kUnavailable, "the library " + path + " cannot be read: " + ErrnoText(errno));
  }
  struct stat status{};
  if (::fstat(directory.get(), &status) != 0)
    return refuse("has a folder that cannot be looked at: " + ErrnoText(errno));
  std::string why = WhyOpenToOthers(status, folder);
  if (!why.empty()) return Fail(FailureCode::kInvalid, "the library's folder " + why);
  if (::fstat(library.fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) return refuse("is no regular file");
  why = WhyOpenToOthers(status, path);
  if (!why.empty()) return Fail(FailureCode::kInvalid, "the library " + why);
  library.device = status.st_dev;
  library.inode = status.st_ino;

  Elf64_Ehdr header{};
  const ssize_t got = ::pread(library.fd.get(), &header, sizeof header, 0);
  why = WhyNoLibrary(header, got < 0 ? 0 : static_cast<size_t>(got));
  if (!why.empty()) return refuse(why);
  if (!IsWhole(library.fd.get(), header, static_cast<uint64_t>(status.st_size))) {
    return refuse("is cut off; get or build it again");
  }
  Result<std::string> hash = HashOf(library.fd.get(), path);
  if (!hash) return hash.failure();
  library.sha256 = std::move(hash).value();
  return library;
}

Result<LibraryFile> CheckLibrary(const Manifest& manifest, const TrustStore* trust) {
  if (Status fits = CheckAbi(manifest); !fits) return fits.failure();
  const auto refuse = [&](const std::string& why, FailureCode code = FailureCode::kInvalid) {
    return Fail(code, "plugin \"" + manifest.id + "\": " + why);
  };
  Result<LibraryFile> file = OpenLibraryFile(manifest.LibraryPath());
  if (!file) return refuse(file.failure().message, file.failure().code);
  if (file->sha256 != manifest.sha256) {
    return refuse("the library " + manifest.LibraryPath() + " has the SHA-256 " + file->sha256 +
                  ", and its manifest says " + manifest.sha256 + "; one of them was changed or is of another build");
  }
  if (trust != nullptr && !trust->Contains(file->sha256)) {
    return refuse("nobody trusted " + manifest.LibraryPath() +
                  "; if you know where it comes from, run: teal plugin trust '" + manifest.path + "'");
  }
  return file;
}

}  // namespace teal::host
