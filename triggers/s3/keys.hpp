// Keys of objects and where they lie in a bucket's folder.
//
// A key is any UTF-8 text of 1 to 1024 bytes; `/` separates its components. Each component is a name in the folder:
//   a name stands for itself, but `%`, control characters and bytes that are no UTF-8 are written %XX
//   an empty component is `%`; `.` and `..` are `%2E` and `%2E%2E`
//   a component of more than 200 bytes, as written, is cut: every piece but the last is a folder `PIECE%~`
//   where an object `a` lies beside objects `a/…`, the folder of the latter is `a%`
// A name that nothing would be written as (`100%.jpg`, put there by hand) stands for itself.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace teal::s3 {

inline constexpr std::size_t kKeyBytesMax = 1024;
inline constexpr std::size_t kNameBytesMax = 200;  // of a piece, as written

// Whether `text` is UTF-8. (The Unicode Standard, table 3-7)
bool IsUtf8(std::string_view text);

// What is wrong with a key; nullopt: nothing.
std::optional<std::string> WrongKey(std::string_view key);
// The same of a bucket's name: 3 to 63 small letters, digits, dots and hyphens, at both ends a letter or a digit.
std::optional<std::string> WrongBucket(std::string_view bucket);

// The names of the folders that lead to the object, then that of its file. `key` is not empty.
std::vector<std::string> PathOfKey(std::string_view key);
// One component, as it is written; not cut.
std::string WriteComponent(std::string_view component);

// The part of a key that the folder `name` stands for, in a folder that stands for `before`: "" and "in" give "in/".
std::string KeyOfFolder(std::string_view before, std::string_view name);
// The key of the file `name` in a folder that stands for `before`.
std::string KeyOfFile(std::string_view before, std::string_view name);

}  // namespace teal::s3
