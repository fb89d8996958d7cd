// teal emit: makes an event happen. For s3: the object itself is put into the bucket's folder, so that what follows is
// what would follow a person's upload.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "core/host/file.h"
#include "core/runtime/config.h"
#include "triggers/s3/bucket.hpp"
#include "triggers/s3/keys.hpp"

namespace teal::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kBuckets[] = "/.teal/buckets";

struct EmitRequest {
  std::string bucket, key, file;
  bool remove = false;
};

// As a host makes it: for its owner alone, and kept out of version control.
void MakeOwnFolder(const std::string& folder) {
  if (::mkdir(folder.c_str(), 0700) == 0) (void)host::ReplaceFile(folder + "/.gitignore", "*\n");
}

int RefuseToEmit(const Globals& globals, const std::string& message, const std::string& hint) {
  ReportError(globals, message, hint);
  return kExitUsage;
}

std::optional<std::string> CopyTo(int from, int to) {
  std::array<char, 64 << 10> buffer;
  for (;;) {
    const ssize_t size = ::read(from, buffer.data(), buffer.size());
    if (size == 0) return std::nullopt;
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return "cannot read: " + s3::ErrnoText(errno);
    for (ssize_t written = 0; written < size;) {
      const ssize_t more = ::write(to, buffer.data() + written, static_cast<std::size_t>(size - written));
      if (more < 0 && errno != EINTR) return "cannot write: " + s3::ErrnoText(errno);
      if (more > 0) written += more;
    }
  }
}

int Told(const Globals& globals, const EmitRequest& asked, const std::string& path) {
  if (globals.json) {
    const Json line{{"bucket", asked.bucket}, {"key", asked.key}, {"path", path}};
    std::puts(line.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
  } else if (!globals.quiet) {
    std::puts(path.c_str());
  }
  return kExitDone;
}

// An object that is there and for which no content is given: written anew as it is, or removed.
int Existing(const Globals& globals, const EmitRequest& asked, const std::string& folder, int bucket,
             const std::string& path) {
  if (!(asked.remove ? s3::RemoveObject(bucket, path) : s3::TouchObject(bucket, path)))
    return RefuseToEmit(globals,
                        "cannot " + std::string(asked.remove ? "remove " : "write ") + folder + "/" + path + ": " +
                            s3::ErrnoText(errno),
                        "look at the rights of the file and its folder");
  return Told(globals, asked, folder + "/" + path);
}

int Emit(const Globals& globals, EmitRequest asked) {
  asked.bucket = s3::BucketName(asked.bucket);
  std::error_code error;
  const std::string here = std::filesystem::current_path(error).string();
  const std::string project = globals.project.empty() ? runtime::FindProject(here).value_or(here)
                                                      : std::filesystem::absolute(globals.project, error).string();
  const std::string buckets = project + kBuckets;
  if (!s3::WrongBucket(asked.bucket)) MakeOwnFolder(project + "/.teal");
  const std::string folder = buckets + "/" + asked.bucket;
  std::string wrong;
  if (const auto bad = s3::WrongKey(asked.key))
    return RefuseToEmit(globals, *bad, "name an object, as in --key in/a.jpg");
  const s3::Fd bucket = s3::OpenBucket(buckets, asked.bucket, &wrong);
  if (!bucket.valid()) return RefuseToEmit(globals, wrong, "name a bucket, as in --bucket uploads");
  if (asked.remove || asked.file.empty()) {
    const std::optional<std::string> path = s3::FindObject(bucket.get(), asked.key);
    if (path) return Existing(globals, asked, folder, bucket.get(), *path);
    if (asked.remove) {
      ReportError(globals, "the bucket " + asked.bucket + " has no object \"" + asked.key + "\"", "");
      return kExitNotFound;
    }
  }
  s3::Fd input;
  if (!asked.file.empty()) {
    input = s3::Fd(asked.file == "-" ? ::dup(STDIN_FILENO) : ::open(asked.file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!input.valid())
      return RefuseToEmit(globals, "cannot read " + asked.file + ": " + s3::ErrnoText(errno),
                          "name a file, or - for standard input");
  }
  const std::optional<std::string> path = s3::PutObject(
      buckets, asked.bucket, asked.key, [&](int fd) { return input.valid() ? CopyTo(input.get(), fd) : std::nullopt; },
      &wrong);
  if (!path) return RefuseToEmit(globals, wrong, "nothing was put");
  return Told(globals, asked, folder + "/" + *path);
}

}  // namespace

Command AddEmit(CLI::App& app, const Globals& globals) {
  auto asked = std::make_shared<EmitRequest>();
  CLI::App* command = app.add_subcommand("emit", "makes an event happen");
  command->footer("Example: teal emit s3 --bucket uploads --key in/cat.jpg cat.jpg");
  command->require_subcommand(1);
  CLI::App* s3 = command->add_subcommand("s3", "puts an object into a local bucket, or removes one");
  s3->fallthrough();
  s3->footer(
      "Example: teal emit s3 --bucket uploads --key in/cat.jpg cat.jpg\n"
      "The bucket is the folder .teal/buckets/BUCKET of the project; it is made if it is not there. A host that "
      "serves\n"
      "the project sees the object as it sees every other; one that is started later sees it then. Prints its path.");
  s3->add_option("--bucket", asked->bucket, "the bucket")->required();
  s3->add_option("--key", asked->key, "the key of the object")->required();
  CLI::Option* const file =
      s3->add_option("FILE", asked->file, "its content, - for standard input; left out: as it is, else empty");
  s3->add_flag("--remove", asked->remove, "remove the object")->excludes(file);
  return [asked, &globals] { return Emit(globals, *asked); };
}

}  // namespace teal::cli
