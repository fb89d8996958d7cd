// The load of script.hpp by callers of their own threads, a file of what was begun and acknowledged to them, and the
// check of a store against that file.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/plugins/local/script.hpp"

namespace teal::tests {

// What a load began and what was acknowledged to it, in order. Each line is in the file when Add returns, so that it
// outlives a SIGKILL. `tape`: its size stands in the line, read after the fact.
class Acks {
 public:
  Acks(const std::string& path, const std::string& tape) : tape_(tape) {
    file_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (file_ < 0) Die("cannot write " + path);
  }
  ~Acks() { ::close(file_); }
  void Add(const char* what, uint64_t caller, uint64_t number) {
    uint64_t position = 0;
    struct stat status{};
    if (!tape_.empty() && ::stat(tape_.c_str(), &status) == 0) position = static_cast<uint64_t>(status.st_size);
    std::ostringstream line;
    line << what << ' ' << caller << ' ' << number << ' ' << position << '\n';
    const std::string text = line.str();
    if (::write(file_, text.data(), text.size()) != static_cast<ssize_t>(text.size())) Die("cannot write the acks");
  }

 private:
  const std::string tape_;
  int file_ = -1;
};

struct Bounds {
  uint64_t begun = 0;
  uint64_t acknowledged = 0;
};
struct Promised {
  std::map<uint64_t, Bounds> commits;  // by caller
  std::map<uint64_t, bool> blobs;      // by number: begun, or acknowledged
};

// What had been begun and acknowledged by the tape's position `until`.
inline Promised ReadAcks(const std::string& path, uint64_t until) {
  Promised promised;
  std::ifstream in(path);
  std::string what;
  uint64_t caller = 0;
  uint64_t number = 0;
  uint64_t position = 0;
  while (in >> what >> caller >> number >> position) {
    if (position > until) continue;
    if (what == "begun") promised.commits[caller].begun = number;
    if (what == "done") promised.commits[caller].acknowledged = number;
    if (what == "blob") promised.blobs.try_emplace(number, false);
    if (what == "stored") promised.blobs[number] = true;
  }
  return promised;
}

inline std::string PutBlob(const host::Memory& memory, uint64_t number) {
  const std::string content = BlobContent(number);
  const auto opened = memory.BlobOpenNow(BlobName(number));
  if (!opened.error.Ok()) return opened.error.message;
  for (std::size_t at = 0; at < content.size(); at += 30'000) {
    const auto error = memory.BlobWriteNow(opened.handle, std::string_view(content).substr(at, 30'000));
    if (!error.Ok()) return error.message;
  }
  const auto error = memory.BlobCommitNow(opened.handle);
  return error.Ok() ? "" : error.message;
}

// `commits` of each caller, each from its own thread, and a blob now and then; 0 = until killed.
inline void RunLoad(const host::Memory& memory, Acks& acks, uint64_t callers, uint64_t commits) {
  std::vector<std::thread> threads;
  for (uint64_t caller = 0; caller < callers; ++caller) {
    threads.emplace_back([&, caller] {
      teal_version counter{};
      std::string wrong;
      const uint64_t first = NumberOf(memory, caller, counter, wrong);
      if (!wrong.empty()) Die(wrong);
      for (uint64_t n = first + 1; commits == 0 || n <= first + commits; ++n) {
        acks.Add("begun", caller, n);
        const auto result = Commit(memory, caller, n, counter);
        if (!result.error.Ok()) Die("commit " + std::to_string(n) + ": " + result.error.message);
        acks.Add("done", caller, n);
        if (n % 10 == caller) {
          const uint64_t blob = n * 100 + caller;
          acks.Add("blob", caller, blob);
          const std::string error = PutBlob(memory, blob);
          if (!error.empty()) Die("blob: " + error);
          acks.Add("stored", caller, blob);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// What is wrong with the store, or nothing.
inline std::string Verify(const host::Memory& memory, const Promised& promised, uint64_t callers,
                          std::map<uint64_t, std::pair<uint64_t, State>>& cache) {
  std::map<uint64_t, State> states;
  for (uint64_t caller = 0; caller < callers; ++caller) {
    const auto at = promised.commits.find(caller);
    const Bounds bounds = at == promised.commits.end() ? Bounds{} : at->second;
    teal_version counter{};
    std::string wrong;
    const uint64_t number = NumberOf(memory, caller, counter, wrong);
    const std::string who = "caller " + std::to_string(caller) + ": ";
    if (!wrong.empty()) return who + wrong;
    if (number < bounds.acknowledged || number > bounds.begun) {
      return who + "shows commit " + std::to_string(number) + "; acknowledged were " +
             std::to_string(bounds.acknowledged) + ", begun " + std::to_string(bounds.begun);
    }
    auto& [upto, state] = cache[caller];
    if (upto > number) {
      upto = 0;
      state.clear();
    }
    while (upto < number) Apply(StepOf(caller, ++upto), state);
    wrong = Check(memory, caller, state);
    if (!wrong.empty()) return who + "after commit " + std::to_string(number) + ": " + wrong;
    states[caller] = state;
  }
  if (std::string wrong = CheckDue(memory, callers, states); !wrong.empty()) return wrong;
  for (const auto& [number, stored] : promised.blobs) {
    const auto blob = memory.BlobGetNow(BlobName(number), 0, ~uint64_t{0});
    if (blob.error.code == TEAL_NOT_FOUND && !stored) continue;
    if (!blob.error.Ok()) return "blob " + std::to_string(number) + ": " + blob.error.message;
    if (blob.bytes != BlobContent(number)) return "blob " + std::to_string(number) + " is not what was written";
  }
  return {};
}

// The store goes on taking commits where it stands.
inline std::string GoesOn(const host::Memory& memory) {
  teal_version counter{};
  std::string wrong;
  const uint64_t number = NumberOf(memory, 0, counter, wrong);
  if (!wrong.empty()) return wrong;
  const auto result = Commit(memory, 0, number + 1, counter);
  if (!result.error.Ok()) return "a further commit fails: " + result.error.message;
  return NumberOf(memory, 0, counter, wrong) == number + 1 ? wrong : "a further commit does not show";
}

}  // namespace teal::tests
