// The numbers of state.proto, and where large things are cut: what writing and reading must agree on.
#pragma once

#include <cstdint>

#include "core/vm/seals.h"
#include "core/vm/thread.h"

namespace teal::vm::format {

inline constexpr uint32_t kVersion = 1;

// A value whose cells would take more than this, counted without shared objects, becomes a segment.
inline constexpr uint64_t kInlineBytesMax = 4096;
// A chunk of a list, hash or stack ends before every item whose number this divides, and as soon as its items' cells
// take kChunkBytes, counted likewise; one of a text or of bytes has exactly kChunkBytes.
inline constexpr uint64_t kChunkItems = 64;
inline constexpr uint64_t kChunkFrames = 16;
inline constexpr uint64_t kChunkBytes = 4096;
// More chunks than any value can have: the lightest item is a cell of 4 bytes that takes 16 bytes of memory.
inline constexpr uint64_t kChunksMax = 1u << 24;
static_assert(kStateBytesMax / 16 <= kChunksMax);

enum StateField : uint32_t {
  kStateVersion = 1,
  kStateProgram,
  kStateTid,
  kStateNextStep,
  kStateClosures,
  kStatePending,
  kStateFrameGroups,
  kStateFrameRefs,
  kStateFrames,
  kStateValues,
  kStateCheck = 15,
};
enum PendingField : uint32_t { kPendingFirst = 1, kPendingCount, kPendingSecond };
enum FrameField : uint32_t { kFrameFunction = 1, kFramePc, kFrameWindow, kFrameReturnTo, kFrameTail };
enum TailField : uint32_t { kTailCount = 1, kTailCalls };
enum Cell : uint32_t {
  kNull = 1,
  kBoolean,
  kInteger,
  kFloatBits,
  kText,
  kSymbol,
  kBytes,
  kSecret,
  kList,
  kHash,
  kClosure,
  kFuture,
  kError,
  kShared,
  kChunked,
  kSegment,
  kHole,
  kFunction,
  kBuiltin,
  kForeign,
};
enum ClosureField : uint32_t { kClosureFunction = 1, kClosureOrigin, kClosureSerial };
enum FutureField : uint32_t { kFutureKind = 1, kFutureStep, kFutureDeadline };
enum ChunkedField : uint32_t { kChunkedKind = 1, kChunkedChunks, kChunkedRefs, kChunkedTail, kChunkedTailBytes };
enum SegmentField : uint32_t { kSegmentKind = 1, kSegmentBytes, kSegmentFrames, kSegmentValues };
enum SegmentKind : uint32_t { kTextChunk = 1, kBytesChunk, kListChunk, kHashChunk, kOneValue, kFrames, kNode };
enum SingleField : uint32_t { kSingleVersion = 1, kSingleValues, kSingleCheck = 15 };

inline constexpr uint64_t kCheckBytes = 5;  // key and CRC, at the end

}  // namespace teal::vm::format
