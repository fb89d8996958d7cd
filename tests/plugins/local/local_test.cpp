// The tool of tests/plugins/local/run: one process, one thing done with the plugin.
//   open LIBRARY CONFIG                         opens and closes; prints "open" or what was said instead
//   hold LIBRARY CONFIG                         opens, prints "ready", closes when its input ends
//   load LIBRARY CONFIG ACKS CALLERS COMMITS    commits the script (script.hpp); writes what was begun and acknowledged
//   verify LIBRARY CONFIG ACKS CALLERS          checks a store against that
//   power LIBRARY FOLDER EVERY SECTORS SLOW     a load, and a loss of power at many a moment of it (power.hpp)
//   death_then_power LIBRARY FOLDER             a death of the process, and then a loss of power
//   tape LIBRARY FOLDER                         whether a tape keeps the order it promises
//   log_fails LIBRARY FOLDER                    a commit log whose writes and syncs fail (log_fails.hpp)
//   backup LIBRARY CONFIG TARGET ACKS CALLERS   a backup under load, of a moment after all acknowledged before it
//   restore LIBRARY CONFIG SOURCE               prints "ok", or what was said instead
//   full LIBRARY CONFIG BALLAST                 a full disk, and room again; the file BALLAST takes the room
// Ends with 0 and the line "ok …", or says what was wrong.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "tests/plugins/local/load.hpp"
#include "tests/plugins/local/log_fails.hpp"
#include "tests/plugins/local/power.hpp"

namespace {

using namespace teal::tests;  // NOLINT(google-build-using-namespace)
using teal::host::Memory;

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
    // Larger than the disk: commits are refused while there may still be room for a small one.
    for (int i = 0; i < 2'000 && blob.Ok(); ++i) blob = memory.BlobWriteNow(opened.handle, value);
    if (blob.Ok()) blob = memory.BlobCommitNow(opened.handle);
    if (blob.Ok()) Die("a blob was stored on a full disk");
    memory.table()->blob_abort(memory.instance(), opened.handle);
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
  if (what == "power" && words.size() == 6) {
    return Power(words[1], words[2], {std::stoull(words[3]), std::stoull(words[4]), std::stoull(words[5])});
  }
  if (what == "death_then_power" && words.size() == 3) return DeathThenPower(words[1], words[2]);
  if (what == "tape" && words.size() == 3) return TapeInOrder(words[2]);
  if (what == "log_fails" && words.size() == 3) return LogFails(words[1], words[2]);
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
