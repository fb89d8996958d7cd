// A folder as a bucket, for those who write into it: objects are written aside and renamed, so that no one sees half of
// one. Errors are texts.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "triggers/s3/files.hpp"

namespace teal::s3 {

// What a bucket's folder is called in `trigger.bucket`: "uploads" and "local://uploads" are one.
std::string_view BucketName(std::string_view bucket);

// Makes the folder BUCKETS/BUCKET where it is not, and opens it. An invalid Fd: *wrong says why.
Fd OpenBucket(const std::string& buckets, const std::string& bucket, std::string* wrong);

// Writes the object `key` whole: `write` fills the open file and gives what went wrong, if anything. Gives its path
// below the bucket's folder. nullopt: *wrong says why, and nothing was changed.
std::optional<std::string> PutObject(const std::string& buckets, const std::string& bucket, std::string_view key,
                                     const std::function<std::optional<std::string>(int fd)>& write,
                                     std::string* wrong);

// Where the object lies below the bucket's folder; nullopt: there is none.
std::optional<std::string> FindObject(int bucket, std::string_view key);

// Sets the object's time to now, as a writer of the same content would. False: errno.
bool TouchObject(int bucket, const std::string& path);
// Removes the object. False: errno.
bool RemoveObject(int bucket, const std::string& path);

}  // namespace teal::s3
