// A bucket's folder, watched with inotify: which objects were written whole, which went. Watch first, look then: what
// happens in between comes twice, and never not at all. Used by one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "triggers/s3/files.hpp"

namespace teal::s3 {

// What a tree tells, of every key in the bucket.
class Listener {
 public:
  virtual ~Listener() = default;
  // A scan of the whole folder: what is not found between the two is not there.
  virtual void ScanBegins() = 0;
  virtual void ScanEnds() = 0;
  // The object is there, perhaps half. True: this version is news to the listener.
  virtual bool Found(const std::string& key, const Stamp& stamp) = 0;
  // The object is there, whole: its writer closed it, or it was moved there.
  virtual void Written(const std::string& key, const Stamp& stamp) = 0;
  virtual void Gone(const std::string& key) = 0;
  // Perhaps all with this prefix went: those that the tree no longer has did.
  virtual void GoneBelow(const std::string& prefix) = 0;
};

class Tree {
 public:
  using Clock = std::chrono::steady_clock;
  using Log = std::function<void(uint32_t level, const std::string& message)>;

  Tree(std::string buckets, std::string bucket, Log log)
      : buckets_(std::move(buckets)), bucket_(std::move(bucket)), log_(std::move(log)) {}
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  const std::string& bucket() const { return bucket_; }
  std::vector<Listener*>& listeners() { return listeners_; }

  // Makes the folder if it is not there, watches it and scans it. False: *wrong says why.
  bool Begin(std::string* wrong);
  // Everything that is there, to every listener.
  void Scan();
  bool IsThere(const std::string& key) const;

  int fd() const { return inotify_.get(); }  // readable: call Read; -1 while the folder is away
  void Read();
  // What has become due: a folder that went or came back, files of which no close was heard.
  void Tick(Clock::time_point now);
  Clock::time_point NextTick() const;

 private:
  struct Folder {
    std::string path;    // below the bucket's: "" or ending in a slash
    std::string prefix;  // of the keys in it
  };
  struct Unclosed {
    std::string prefix;
    Clock::time_point look_at;
  };

  bool Watch();
  void Lose(const char* how);
  void LookForFolder(Clock::time_point now);
  void LookAtUnclosed(Clock::time_point now);
  void AddFolder(std::string path, std::string prefix);
  void LookInto(const Folder& folder, std::vector<Folder>* below);
  void DropFolder(const std::string& path);
  void OnEvent(uint32_t mask, const Folder& folder, const std::string& name);
  void LookAt(const std::string& path, const std::string& prefix, bool closed);
  void TellWritten(const std::string& key, const Stamp& stamp);

  const std::string buckets_, bucket_;
  const Log log_;
  std::vector<Listener*> listeners_;
  Fd root_, inotify_;
  std::unordered_map<int, Folder> folders_;   // by watch
  std::map<std::string, int> watches_;        // by path
  std::map<std::string, Unclosed> unclosed_;  // by path: made or found open, and no close heard
  bool rescan_ = false;
  bool unwatched_ = false;  // some folder could not be watched: it is scanned instead
  Clock::time_point look_for_folder_{}, scan_again_{};
  std::set<std::string> told_;  // names that are no keys, already told
};

}  // namespace teal::s3
