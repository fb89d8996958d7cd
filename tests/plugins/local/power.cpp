#include "tests/plugins/local/power.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <thread>
#include <vector>

#include "tests/plugins/local/disk.hpp"
#include "tests/plugins/local/faults.hpp"
#include "tests/plugins/local/load.hpp"

namespace teal::tests {
namespace {

constexpr uint64_t kCallers = 3;

using Cache = std::map<uint64_t, std::pair<uint64_t, State>>;

std::string ConfigOf(const std::string& store, uint64_t sectors, const std::string& tape) {
  return R"({"path":")" + store + R"(","testing":{"log_segment_sectors":)" + std::to_string(sectors) + R"(,"tape":")" +
         tape + R"("}})";
}

// What a store must show and what it may, when all stopped at this position of the tape.
Promised PromisedAt(const std::string& acks, uint64_t position) {
  const Promised then = ReadAcks(acks, position);
  // What was begun is known from before it: whatever the tape holds by then was begun, but its line may stand behind.
  Promised promised = ReadAcks(acks, ~uint64_t{0});
  for (auto& [caller, bounds] : promised.commits) {
    const auto at = then.commits.find(caller);
    bounds.acknowledged = at == then.commits.end() ? 0 : at->second.acknowledged;
    bounds.begun = std::min(bounds.begun, bounds.acknowledged + 1);
  }
  for (auto& [number, stored] : promised.blobs) {
    const auto at = then.blobs.find(number);
    stored = at != then.blobs.end() && at->second;
  }
  return promised;
}

void LosePower(const Plugin& plugin, const Disk& disk, Survives survives, uint64_t seed, const std::string& store,
               const std::string& after, const Promised& promised, const std::string& where, Cache& cache) {
  disk.Leave(survives, seed, store, after);
  std::string error;
  const Instance instance(plugin, R"({"path":")" + after + "\"}", &error);
  if (!instance.IsOpen()) Die(where + "cannot open: " + error);
  const std::string wrong = Verify(instance.Memory(), promised, kCallers, cache);
  if (!wrong.empty()) Die(where + wrong);
  const std::string stuck = GoesOn(instance.Memory());
  if (!stuck.empty()) Die(where + stuck);
}

std::string Kept(Survives survives) {
  return " (kept: " + std::to_string(static_cast<int>(survives)) + "): ";
}

}  // namespace

int Power(const std::string& library, const std::string& folder, const PowerOptions& options) {
  const Plugin plugin(library);
  const std::string store = folder + "/store";
  const std::string tape = folder + "/tape";
  const std::string acks_path = folder + "/acks";
  if (options.slow_sync_ms != 0) faults::SlowSyncs(".sst", options.slow_sync_ms);
  {
    const Instance instance(plugin, ConfigOf(store, options.sectors, tape));
    Acks acks(acks_path, tape);
    RunLoad(instance.Memory(), acks, kCallers, 150);
  }
  faults::SlowSyncs({}, 0);
  const auto entries = Disk::ReadTape(tape);
  Disk disk;
  Cache cache;
  uint64_t cuts = 0;
  uint64_t partly = 0;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    disk.Play(entries[i]);
    // Nothing opens a store whose list of tables has a hole: each change of it is torn in several ways.
    const bool of_list = entries[i].path.find("/MANIFEST-") != std::string::npos;
    if (i % options.every != 0 && i + 1 != entries.size() && !of_list) continue;
    const Promised promised = PromisedAt(acks_path, entries[i].end);
    std::vector<Survives> ways = {Survives::kNothing, Survives::kAnything, Survives::kEverything};
    if (of_list) ways.insert(ways.end(), 3, Survives::kAnything);
    for (std::size_t way = 0; way < ways.size(); ++way) {
      const std::string where =
          "power lost after entry " + std::to_string(i) + " of " + std::to_string(entries.size()) + Kept(ways[way]);
      LosePower(plugin, disk, ways[way], i * 16 + way, store, folder + "/after", promised, where, cache);
      ++cuts;
      partly += ways[way] == Survives::kAnything ? 1 : 0;
    }
  }
  std::printf("ok %llu cuts, %llu of them torn, at %zu things done to files\n", static_cast<unsigned long long>(cuts),
              static_cast<unsigned long long>(partly), entries.size());
  return 0;
}

int DeathThenPower(const std::string& library, const std::string& folder) {
  constexpr std::size_t kDeaths = 16;
  constexpr std::size_t kCutEvery = 17;
  const Plugin plugin(library);
  const std::string store = folder + "/store";
  const std::string tape = folder + "/tape";
  const std::string acks_path = folder + "/acks";
  const std::string second_tape = folder + "/tape2";
  const std::string second_acks = folder + "/acks2";
  {
    const Instance instance(plugin, ConfigOf(store, 64, tape));
    Acks acks(acks_path, tape);
    RunLoad(instance.Memory(), acks, kCallers, 60);
  }
  const auto entries = Disk::ReadTape(tape);
  // At any moment, and where a folder was made and its name not yet synced: who finds it there must not trust it.
  std::set<std::size_t> deaths;
  for (std::size_t i = 1; i <= kDeaths; ++i) deaths.insert(entries.size() * i / (kDeaths + 1));
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (entries[i].operation == Disk::Operation::kMakeFolder) deaths.insert(i);
  }
  uint64_t cuts = 0;
  for (const std::size_t last : deaths) {
    Cache cache;
    const std::string where = "death after entry " + std::to_string(last) + " of " + std::to_string(entries.size());
    Disk disk;
    for (std::size_t i = 0; i <= last; ++i) disk.Play(entries[i]);
    disk.Leave(Survives::kEverything, 0, store, folder + "/left");
    std::filesystem::remove_all(store);
    std::filesystem::rename(folder + "/left", store);
    std::filesystem::remove(second_acks);
    Promised shown = PromisedAt(acks_path, entries[last].end);
    uint64_t seen_at = 0;
    {
      const Instance instance(plugin, ConfigOf(store, 64, second_tape));
      const std::string wrong = Verify(instance.Memory(), shown, kCallers, cache);
      if (!wrong.empty()) Die(where + ": " + wrong);
      struct stat status{};
      if (::stat(second_tape.c_str(), &status) != 0) Die("there is no second tape");
      seen_at = static_cast<uint64_t>(status.st_size);
      // What was shown stands from now on, acknowledged or not.
      for (uint64_t caller = 0; caller < kCallers; ++caller) {
        teal_version counter{};
        std::string unread;
        const uint64_t number = NumberOf(instance.Memory(), caller, counter, unread);
        if (!unread.empty()) Die(where + ": " + unread);
        shown.commits[caller] = {number, number};
      }
      Acks acks(second_acks, second_tape);
      // Who did not hear that a blob was stored stores it again.
      for (const auto& [number, stored] : shown.blobs) {
        if (stored) continue;
        acks.Add("blob", 0, number);
        const std::string failed = PutBlob(instance.Memory(), number);
        if (!failed.empty()) Die(where + ": " + failed);
        acks.Add("stored", 0, number);
      }
      RunLoad(instance.Memory(), acks, kCallers, 12);
    }
    auto second = Disk::ReadTape(second_tape);
    const uint64_t base = entries[last].end;
    for (std::size_t i = 0; i < second.size(); ++i) {
      disk.Play(Disk::Behind(second[i], base));
      const bool cut_here = (i + last) % kCutEvery == 0 || i + 1 == second.size();
      if (second[i].end < seen_at || !cut_here) continue;
      Promised promised = PromisedAt(second_acks, second[i].end);
      for (uint64_t caller = 0; caller < kCallers; ++caller) {
        Bounds& bounds = promised.commits[caller];
        bounds.acknowledged = std::max(bounds.acknowledged, shown.commits[caller].acknowledged);
        bounds.begun = std::max(bounds.begun, bounds.acknowledged + 1);
      }
      for (const auto& [number, stored] : shown.blobs) {
        bool& promise = promised.blobs[number];
        promise = promise || stored;
      }
      for (const Survives survives : {Survives::kNothing, Survives::kAnything}) {
        LosePower(plugin, disk, survives, i * 3 + 1, store, folder + "/after", promised,
                  where + ", power lost after entry " + std::to_string(i) + " of " + std::to_string(second.size()) +
                      Kept(survives),
                  cache);
        ++cuts;
      }
    }
  }
  std::printf("ok %zu deaths, %llu cuts\n", deaths.size(), static_cast<unsigned long long>(cuts));
  return 0;
}

int TapeInOrder(const std::string& folder) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 20'000;
  const std::string path = folder + "/order";
  {
    const auto tape = local::Tape::Open(path);
    if (tape == nullptr) Die("cannot write " + path);
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        const std::string name = std::to_string(t);
        const std::string data(t == 0 ? 5000 : 10, 'x');
        for (int i = 0; i < kRounds; ++i) {
          tape->Add(local::Tape::Operation::kWrite, 0, name, data);
          tape->Add(local::Tape::Operation::kSync, tape->Size(), name);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  std::map<std::string, uint64_t> written;
  const auto entries = Disk::ReadTape(path);
  for (const Disk::Entry& entry : entries) {
    if (entry.operation == local::Tape::Operation::kWrite) written[entry.path] = entry.end;
    if (entry.operation != local::Tape::Operation::kSync) continue;
    if (entry.number < written[entry.path]) Die("a sync does not cover what its thread wrote before it");
    if (entry.number > entry.begin) Die("a sync covers what comes after it");
  }
  if (entries.size() != 2 * kThreads * kRounds) Die("the tape lacks entries");
  std::printf("ok %zu entries\n", entries.size());
  return 0;
}

}  // namespace teal::tests
