// The tool of tests/plugins/local/run: one process, one thing done with the plugin.
//   open LIBRARY CONFIG                         opens and closes; prints "open" or what was said instead
//   hold LIBRARY CONFIG                         opens, prints "ready", closes when its input ends
//   load LIBRARY CONFIG ACKS CALLERS COMMITS    commits the script (script.hpp); writes what was begun and acknowledged
//   verify LIBRARY CONFIG ACKS CALLERS          checks a store against that
//   power LIBRARY FOLDER EVERY                  a load, and a loss of power at every EVERY-th thing done to files
//   backup LIBRARY CONFIG TARGET ACKS CALLERS   a backup under load, of a moment after what had been acknowledged
//   before restore LIBRARY CONFIG SOURCE               prints "ok", or what was said instead full LIBRARY CONFIG
//   BALLAST                 a full disk, and room again; the file BALLAST takes the room
// Ends with 0 and the line "ok …", or says what was wrong.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <mutex>
#include <sstream>
#include <thread>

#include "tests/plugins/local/disk.hpp"
#include "tests/plugins/local/script.hpp"

namespace {

using namespace teal::tests;  // NOLINT(google-build-using-namespace)
using teal::host::Memory;

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

// What had been begun by the tape's position `until_begun` and acknowledged by `until`.
Promised ReadAcks(const std::string& path, uint64_t until) {
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

std::string PutBlob(const Memory& memory, uint64_t number) {
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
void RunLoad(const Memory& memory, Acks& acks, uint64_t callers, uint64_t commits) {
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
std::string Verify(const Memory& memory, const Promised& promised, uint64_t callers,
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
std::string GoesOn(const Memory& memory) {
  teal_version counter{};
  std::string wrong;
  const uint64_t number = NumberOf(memory, 0, counter, wrong);
  if (!wrong.empty()) return wrong;
  const auto result = Commit(memory, 0, number + 1, counter);
  if (!result.error.Ok()) return "a further commit fails: " + result.error.message;
  return NumberOf(memory, 0, counter, wrong) == number + 1 ? wrong : "a further commit does not show";
}

int Power(const std::string& library, const std::string& folder, uint64_t every) {
  constexpr uint64_t kCallers = 3;
  const Plugin plugin(library);
  const std::string store = folder + "/store";
  const std::string tape = folder + "/tape";
  const std::string acks_path = folder + "/acks";
  const std::string after = folder + "/after";
  {
    const Instance instance(
        plugin, R"({"path":")" + store + R"(","testing":{"log_segment_sectors":64,"tape":")" + tape + R"("}})");
    Acks acks(acks_path, tape);
    RunLoad(instance.Memory(), acks, kCallers, 150);
  }
  const auto entries = Disk::ReadTape(tape);
  Disk disk;
  std::map<uint64_t, std::pair<uint64_t, State>> cache;
  uint64_t cuts = 0;
  uint64_t partly = 0;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    disk.Play(entries[i]);
    if (i % every != 0 && i + 1 != entries.size()) continue;
    const Promised promised = ReadAcks(acks_path, entries[i].end);
    // What was begun is known from before it: whatever this entry holds was begun, but its line may stand behind.
    Promised possible = ReadAcks(acks_path, ~uint64_t{0});
    for (auto& [caller, bounds] : possible.commits) {
      const auto at = promised.commits.find(caller);
      bounds.acknowledged = at == promised.commits.end() ? 0 : at->second.acknowledged;
      bounds.begun = std::min(bounds.begun, bounds.acknowledged + 1);
    }
    for (auto& [number, stored] : possible.blobs) {
      const auto at = promised.blobs.find(number);
      stored = at != promised.blobs.end() && at->second;
    }
    for (const Survives survives : {Survives::kNothing, Survives::kAnything, Survives::kEverything}) {
      disk.Leave(survives, i * 3 + 1, store, after);
      const std::string where = "power lost after entry " + std::to_string(i) + " of " +
                                std::to_string(entries.size()) +
                                " (kept: " + std::to_string(static_cast<int>(survives)) + "): ";
      std::string error;
      {
        const Instance instance(plugin, R"({"path":")" + after + "\"}", &error);
        if (!instance.IsOpen()) Die(where + "cannot open: " + error);
        const std::string wrong = Verify(instance.Memory(), possible, kCallers, cache);
        if (!wrong.empty()) Die(where + wrong);
        const std::string stuck = GoesOn(instance.Memory());
        if (!stuck.empty()) Die(where + stuck);
      }
      ++cuts;
      partly += survives == Survives::kAnything ? 1 : 0;
    }
  }
  std::printf("ok %llu cuts, %llu of them torn, at %zu things done to files\n", static_cast<unsigned long long>(cuts),
              static_cast<unsigned long long>(partly), entries.size());
  return 0;
}

int Full(const std::string& library, const std::string& config, const std::string& ballast) {
  const Plugin plugin(library);
  std::mt19937_64 random(11);
  std::string value(60'000, '\0');
  for (char& c : value) c = static_cast<char>(random());  // nothing that compresses
  uint64_t acknowledged = 0;
  uint64_t refused = 0;
  uint64_t doubtful = 0;
  std::string said;
  {
    const Instance instance(plugin, config);
    const Memory memory = instance.Memory();
    const auto put = [&] {
      const std::string sort = std::to_string(acknowledged);
      const teal::host::Op op{TEAL_PUT, TEAL_IF_ANY, "full", sort, value, {}, 0, 0};
      return memory.CommitNow(std::span(&op, 1)).error;
    };
    for (int i = 0; i < 20'000 && refused < 20; ++i) {
      const auto error = put();
      if (error.Ok()) {
        ++acknowledged;
        refused = 0;
      } else {
        ++refused;
        said = error.message;
        if (error.outcome == TEAL_OUTCOME_UNKNOWN) ++doubtful;
        if (error.retry_after_ns == 0) Die("no advice when to come again: " + error.message);
        if (memory.GetNow("full", "0").records.size() != 1) Die("gets do not go on while the disk is full");
      }
    }
    if (refused < 20) Die("the disk never became full");
    if (said.find("disk") == std::string::npos || said.find("full") == std::string::npos)
      Die("no words for it: " + said);
    const auto opened = memory.BlobOpenNow("full/blob");
    teal::host::Error blob = opened.error;
    for (int i = 0; i < 100 && blob.Ok(); ++i) blob = memory.BlobWriteNow(opened.handle, value);
    if (blob.Ok()) blob = memory.BlobCommitNow(opened.handle);
    if (blob.Ok()) Die("a blob was stored on a full disk");
    if (::unlink(ballast.c_str()) != 0) Die("cannot remove the ballast");
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    for (;;) {
      const auto error = put();
      if (error.Ok()) break;
      if (std::chrono::steady_clock::now() > until) Die("writes do not go on when there is room: " + error.message);
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    ++acknowledged;
    if (!PutBlob(memory, 5).empty()) Die("blobs do not go on when there is room");
  }
  const Instance instance(plugin, config);
  for (uint64_t i = 0; i < acknowledged; ++i) {
    const auto page = instance.Memory().GetNow("full", std::to_string(i));
    if (page.records.size() != 1 || page.records[0].value != value) Die("record " + std::to_string(i) + " is gone");
  }
  if (instance.Memory().BlobGetNow(BlobName(5), 0, 1 << 20).bytes != BlobContent(5)) Die("the blob is gone");
  std::printf("ok %llu acknowledged, %llu doubtful: %s\n", static_cast<unsigned long long>(acknowledged),
              static_cast<unsigned long long>(doubtful), said.c_str());
  return 0;
}

int Backup(const std::string& library, const std::string& config, const std::string& target,
           const std::string& acks_path, uint64_t callers) {
  const Plugin plugin(library);
  const Instance instance(plugin, config);
  Acks before(acks_path, "");
  RunLoad(instance.Memory(), before, callers, 100);
  // From here on the acknowledgements go elsewhere: the backup may have what came later, and must have what came
  // before.
  Acks later(acks_path + ".later", "");
  std::thread load([&] { RunLoad(instance.Memory(), later, callers, 200); });
  const auto* const table = plugin.Interface<teal_backup>(TEAL_BACKUP_ID);
  const auto error = teal::host::Wait<teal::host::Error>(
      {}, [&](const teal_call* call) { return table->backup(instance.get(), call, teal::Bytes(target)); });
  load.join();
  if (!error.Ok()) Die("backup: " + error.message);
  std::printf("ok\n");
  return 0;
}

int Restore(const std::string& library, const std::string& config, const std::string& source) {
  const Plugin plugin(library);
  teal_error error{};
  error.struct_size = sizeof error;
  const auto* const table = plugin.Interface<teal_backup>(TEAL_BACKUP_ID);
  const teal_status status = table->restore(teal::Bytes(config), teal::Bytes(source), &error);
  std::printf("%s\n", status == TEAL_OK ? "ok" : error.message);
  return 0;
}

int Open(const std::string& library, const std::string& config, bool hold) {
  const Plugin plugin(library);
  std::string error;
  const Instance instance(plugin, config, &error);
  std::printf("%s\n", !instance.IsOpen() ? error.c_str() : hold ? "ready" : "open");
  std::fflush(stdout);
  char byte = 0;
  while (hold && ::read(0, &byte, 1) > 0) {
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  const std::string what = words.empty() ? "" : words[0];
  if (what == "open" && words.size() == 3) return Open(words[1], words[2], false);
  if (what == "hold" && words.size() == 3) return Open(words[1], words[2], true);
  if (what == "power" && words.size() == 4) return Power(words[1], words[2], std::stoull(words[3]));
  if (what == "backup" && words.size() == 6)
    return Backup(words[1], words[2], words[3], words[4], std::stoull(words[5]));
  if (what == "restore" && words.size() == 4) return Restore(words[1], words[2], words[3]);
  if (what == "full" && words.size() == 4) return Full(words[1], words[2], words[3]);
  if (what == "load" && words.size() == 6) {
    const Plugin plugin(words[1]);
    const Instance instance(plugin, words[2]);
    Acks acks(words[3], "");
    RunLoad(instance.Memory(), acks, std::stoull(words[4]), std::stoull(words[5]));
    std::printf("ok\n");
    return 0;
  }
  if (what == "verify" && words.size() == 5) {
    const Plugin plugin(words[1]);
    const Instance instance(plugin, words[2]);
    std::map<uint64_t, std::pair<uint64_t, State>> cache;
    Promised promised = ReadAcks(words[3], ~uint64_t{0});
    for (const auto& [caller, bounds] : ReadAcks(words[3] + ".later", ~uint64_t{0}).commits) {
      promised.commits[caller].begun = bounds.begun;
    }
    uint64_t acknowledged = 0;
    for (const auto& [caller, bounds] : promised.commits) acknowledged += bounds.acknowledged;
    const std::string wrong = Verify(instance.Memory(), promised, std::stoull(words[4]), cache);
    if (!wrong.empty()) Die(wrong);
    std::printf("ok %llu commits, %zu blobs\n", static_cast<unsigned long long>(acknowledged), promised.blobs.size());
    return 0;
  }
  Die("see the head of local_test.cpp for what can be asked");
}
