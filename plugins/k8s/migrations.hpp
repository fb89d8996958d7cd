// The store's schema as SQL, one text for each version, applied in order and never changed once released: a store made
// by version 1 and brought up to date has the same tables and functions as one made anew. `{S}` stands for the quoted
// schema.
//
// Why a commit is linearizable under READ COMMITTED: each operation takes hold of its own key and keeps it until the
// transaction ends. A present record is held by its row lock (update, delete, FOR SHARE), an absent one by an entry in
// the unique index (an insert that is deleted again in the same transaction). So two commits that share a key, one of
// them writing, run one after the other, and a reader's snapshot sees each as a whole. Each statement inside a function
// that is VOLATILE has a snapshot of its own, and an UPDATE that waited looks at its row again, so a condition is
// judged by what was committed last. Versions never come back, so a condition of version that failed has failed for
// ever.
//
// Why there is no deadlock: the operations of a commit come in the order of their keys, and commits that share a
// transaction have ranges of keys that do not overlap and come in order, too. Who waits for a key holds smaller keys
// only.
//
// What the numbers mean. Times are the 64 unsigned bits with the top one flipped, so that bigint orders them (the view
// `readable` shows them as timestamps); NULL = never. A version is 8 bytes of a sequence, then 24 bytes of the commit's
// nonce. `hash` is the first 8 bytes of SHA-256 over the key, the top bit flipped: parts of `scan_due` are ranges of
// it.
#pragma once

#include <string_view>

namespace teal::k8s {

inline constexpr int kSchemaVersion = 2;
extern const std::string_view kMigrations[kSchemaVersion];  // [0] makes version 1 of an empty schema

// A commit's operations as the function `commit` takes them: kind << 4 | condition.
inline constexpr int kOutcomeApplied = 0;
inline constexpr int kOutcomeConflict = 1;
inline constexpr int kOutcomeAppliedBefore = 2;  // a record that stands carries the commit's nonce
inline constexpr int kOutcomeUnproven = 3;       // asked for proof only, and there is none

inline constexpr int kModeApply = 0;
inline constexpr int kModeProve = 1;

// What `blob_finish` answers.
inline constexpr int kBlobStored = 0;
inline constexpr int kBlobWasThere = 1;
inline constexpr int kBlobUploadGone = 2;

}  // namespace teal::k8s
