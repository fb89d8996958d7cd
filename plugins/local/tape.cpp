#include "plugins/local/tape.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace teal::local {
namespace {

void Append(std::string& out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
}

}  // namespace

std::unique_ptr<Tape> Tape::Open(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
  if (descriptor < 0) return nullptr;
  return std::unique_ptr<Tape>(new Tape(descriptor));
}

Tape::~Tape() {
  ::close(descriptor_);
}

void Tape::Add(Operation operation, uint64_t number, std::string_view path, std::string_view data) {
  std::string entry;
  entry.reserve(17 + path.size() + data.size());
  entry.push_back(static_cast<char>(operation));
  Append(entry, number, 8);
  Append(entry, path.size(), 4);
  Append(entry, data.size(), 4);
  entry.append(path).append(data);
  // Were the size counted without the mutex, an entry of another thread that stands in the file but is not counted yet
  // would make it end before this one.
  const std::lock_guard lock(mutex_);
  if (::write(descriptor_, entry.data(), entry.size()) != static_cast<ssize_t>(entry.size())) {
    std::perror("cannot write the tape of a test");
    std::abort();
  }
  size_ += entry.size();
}

}  // namespace teal::local
