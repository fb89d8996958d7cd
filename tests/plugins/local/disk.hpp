// A disk as strict as POSIX lets it be, played from a tape (plugins/local/tape.hpp): what is written reaches it when
// the file is synced, names when their folder is; whatever else was done may be there after a loss of power, or not, or
// in part: sectors of 512 bytes each for itself, changes of names in their order up to some point. What a sync failed
// to bring there a later sync does not bring either, though it says all is well, as with Linux's page cache.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <list>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "plugins/local/tape.hpp"
#include "tests/plugins/plugin_under_test.hpp"

namespace teal::tests {

enum class Survives { kNothing, kEverything, kAnything };  // of what no completed sync covers

class Disk {
 public:
  using Operation = local::Tape::Operation;
  struct Entry {
    uint64_t begin;  // where it stands on the tape
    uint64_t end;
    Operation operation;
    uint64_t number;
    std::string path;
    std::string data;
  };

  static std::vector<Entry> ReadTape(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    const auto number = [&](uint64_t at, int size) {
      uint64_t value = 0;
      for (int i = 0; i < size; ++i) value |= uint64_t{static_cast<uint8_t>(bytes[at + i])} << (8 * i);
      return value;
    };
    std::vector<Entry> entries;
    for (uint64_t at = 0; at + 17 <= bytes.size();) {
      Entry entry{at, 0, static_cast<Operation>(bytes[at]), number(at + 1, 8), {}, {}};
      const uint64_t path_size = number(at + 9, 4);
      const uint64_t data_size = number(at + 13, 4);
      entry.path = bytes.substr(at + 17, path_size);
      entry.data = bytes.substr(at + 17 + path_size, data_size);
      entry.end = at = at + 17 + path_size + data_size;
      if (at > bytes.size()) Die("the tape is cut short");
      entries.push_back(std::move(entry));
    }
    return entries;
  }

  // The entry as it stands on a tape that goes on behind the first `base` bytes of another.
  static Entry Behind(Entry entry, uint64_t base) {
    entry.begin += base;
    entry.end += base;
    const bool covers = entry.operation == Operation::kSync || entry.operation == Operation::kSyncFailed ||
                        entry.operation == Operation::kSyncFolder;
    if (covers) entry.number += base;
    return entry;
  }

  void Play(const Entry& entry) {
    switch (entry.operation) {
      case Operation::kCreate:
        ChangeName({entry.begin, {Folder(entry.path)}, entry.path, std::make_shared<Inode>(), {}});
        break;
      case Operation::kMakeFolder: {
        auto folder = std::make_shared<Inode>();
        folder->is_folder = true;
        ChangeName({entry.begin, {Folder(entry.path)}, entry.path, folder, {}});
        break;
      }
      case Operation::kRename:
        ChangeName({entry.begin, {Folder(entry.path), Folder(entry.data)}, entry.data, Find(entry.path), entry.path});
        break;
      case Operation::kLink:
        ChangeName({entry.begin, {Folder(entry.data)}, entry.data, Find(entry.path), {}});
        break;
      case Operation::kRemove:
        ChangeName({entry.begin, {Folder(entry.path)}, {}, nullptr, entry.path});
        break;
      case Operation::kWrite:
      case Operation::kTruncate:
        if (const auto inode = Find(entry.path)) {
          inode->pending.push_back(
              {entry.begin, entry.operation == Operation::kTruncate, entry.number, entry.data, false});
        }
        break;
      case Operation::kSync:
        if (const auto inode = Find(entry.path)) {
          while (!inode->pending.empty() && inode->pending.front().at < entry.number) {
            if (!inode->pending.front().lost) ApplyTo(inode->durable, inode->pending.front());
            inode->pending.pop_front();
          }
        }
        break;
      case Operation::kSyncFailed:
        if (const auto inode = Find(entry.path)) {
          for (Change& change : inode->pending) change.lost = change.lost || change.at < entry.number;
        }
        break;
      case Operation::kSyncFolder:
        for (auto at = pending_.begin(); at != pending_.end();) {
          if (at->at < entry.number && at->folders.contains(entry.path)) {
            ApplyTo(durable_, *at);
            at = pending_.erase(at);
          } else {
            ++at;
          }
        }
        break;
    }
  }

  // Writes what a loss of power now would leave of everything under `from` to the folder `to`, which is made anew.
  void Leave(Survives survives, uint64_t seed, const std::string& from, const std::string& to) const {
    std::mt19937_64 random(seed);
    Names names = durable_;
    std::size_t kept = survives == Survives::kEverything ? pending_.size() : 0;
    if (survives == Survives::kAnything && !pending_.empty()) kept = random() % (pending_.size() + 1);
    for (const NameChange& change : pending_) {
      if (kept-- == 0) break;
      ApplyTo(names, change);
    }
    std::filesystem::remove_all(to);
    std::filesystem::create_directories(to);
    for (const auto& [path, inode] : names) {
      if (!path.starts_with(from + "/") || !inode->is_folder || !AllThere(names, from, path)) continue;
      std::filesystem::create_directories(to + path.substr(from.size()));
    }
    for (const auto& [path, inode] : names) {
      if (!path.starts_with(from + "/") || inode->is_folder || !AllThere(names, from, path)) continue;
      std::ofstream(to + path.substr(from.size()), std::ios::binary) << Content(*inode, survives, random);
    }
  }

 private:
  struct Change {
    uint64_t at;
    bool truncate;
    uint64_t offset;
    std::string data;
    bool lost;  // a sync of it failed: no later one makes it durable
  };
  struct Inode {
    bool is_folder = false;
    std::string durable;
    std::list<Change> pending;
  };
  using Names = std::map<std::string, std::shared_ptr<Inode>>;
  struct NameChange {
    uint64_t at;
    std::set<std::string> folders;
    std::string added;
    std::shared_ptr<Inode> inode;
    std::string removed;
  };

  static std::string Folder(const std::string& path) { return path.substr(0, path.rfind('/')); }
  std::shared_ptr<Inode> Find(const std::string& path) const {
    const auto at = now_.find(path);
    return at == now_.end() ? nullptr : at->second;
  }
  static void ApplyTo(Names& names, const NameChange& change) {
    if (!change.removed.empty()) names.erase(change.removed);
    if (!change.added.empty() && change.inode != nullptr) {
      // A folder made twice, as CreateDirIfMissing says it, keeps what it has.
      if (change.inode->is_folder) {
        names.try_emplace(change.added, change.inode);
      } else {
        names[change.added] = change.inode;
      }
    }
  }
  void ChangeName(NameChange change) {
    ApplyTo(now_, change);
    pending_.push_back(std::move(change));
  }
  static void ApplyTo(std::string& content, const Change& change) {
    if (change.truncate) {
      content.resize(change.offset);
      return;
    }
    if (content.size() < change.offset + change.data.size()) content.resize(change.offset + change.data.size());
    content.replace(change.offset, change.data.size(), change.data);
  }
  static bool AllThere(const Names& names, const std::string& from, const std::string& path) {
    for (std::string folder = Folder(path); folder.size() > from.size(); folder = Folder(folder)) {
      if (!names.contains(folder)) return false;
    }
    return true;
  }
  // Calls `body` with each sector that the change touches, and what it does there.
  template <typename Body>
  static void EachSector(const Change& change, Body&& body) {
    for (uint64_t done = 0; done < change.data.size();) {
      const uint64_t offset = change.offset + done;
      const uint64_t size = std::min<uint64_t>(512 - offset % 512, change.data.size() - done);
      body(offset / 512, Change{change.at, false, offset, change.data.substr(done, size), false});
      done += size;
    }
  }
  // A sector goes to the disk as the kernel's page has it then, with all that was written to it by then. So it is in
  // one of the states that it went through, and one sector's says nothing of another's.
  static std::string Content(const Inode& inode, Survives survives, std::mt19937_64& random) {
    std::string content = inode.durable;
    if (survives == Survives::kNothing) return content;
    std::map<uint64_t, uint64_t> states;  // by sector, how many changes it saw, then how many are to be kept
    if (survives == Survives::kAnything) {
      for (const Change& change : inode.pending) {
        EachSector(change, [&](uint64_t sector, const Change&) { ++states[sector]; });
      }
      for (auto& [sector, count] : states) count = random() % (count + 1);
    }
    for (const Change& change : inode.pending) {
      if (survives == Survives::kEverything) {
        ApplyTo(content, change);
      } else if (change.truncate) {
        if (random() % 2 == 0) ApplyTo(content, change);
      } else {
        EachSector(change, [&](uint64_t sector, const Change& part) {
          if (states[sector] == 0) return;
          --states[sector];
          ApplyTo(content, part);
        });
      }
    }
    return content;
  }

  Names now_;      // as the process sees it
  Names durable_;  // as the disk has it
  std::list<NameChange> pending_;
};

}  // namespace teal::tests
