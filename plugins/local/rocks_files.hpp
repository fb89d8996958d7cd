// RocksDB's files by way of Files: the same operations of its POSIX layer, counted and taped.
#pragma once

#include <rocksdb/file_system.h>

#include <memory>

#include "plugins/local/files.hpp"

namespace teal::local {

// `files` outlives what is given.
std::shared_ptr<rocksdb::FileSystem> MakeRocksFiles(Files& files);

}  // namespace teal::local
