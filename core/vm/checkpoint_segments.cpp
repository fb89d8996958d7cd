// Fetching and decoding the segments that a state reaches, those that others need first.
#include <algorithm>
#include <unordered_set>

#include "core/vm/checkpoint_decoder.h"
#include "core/vm/value_inline.h"

namespace teal::vm {
namespace {

using wire::In;
using wire::Key;

// A segment on its way: its bytes are there, what it refers to is being fetched.
struct Pending {
  Sha256 hash;
  std::string bytes;
  std::vector<Sha256> children;
  size_t next = 0;
};

std::string NameOf(const Sha256& hash) {
  return "segment " + Hex(hash).substr(0, 16);
}

bool AppendHashes(In* in, std::string_view bytes, std::vector<Sha256>* hashes) {
  if (bytes.size() % sizeof(Sha256) != 0) return in->Fail("hashes that are not 32 bytes each");
  for (size_t i = 0; i < bytes.size(); i += sizeof(Sha256)) {
    Sha256& hash = hashes->emplace_back();
    std::memcpy(hash.data(), bytes.data() + i, sizeof hash);
  }
  return true;
}

// The segments that the cells of a repeated field refer to.
bool ScanCells(In* in, uint32_t field, std::vector<Sha256>* hashes) {
  while (in->ok() && in->Take(Key(field, wire::kLength))) {
    std::string_view cell;
    if (!in->Bytes(&cell)) return false;
    In inner(cell);
    std::string_view bytes;
    if (inner.Take(Key(format::kSegment, wire::kLength))) {
      if (!inner.Bytes(&bytes)) return in->Fail("a cell that is cut short");
    } else if (inner.Take(Key(format::kChunked, wire::kLength))) {
      std::string_view chunked;
      if (!inner.Bytes(&chunked)) return in->Fail("a cell that is cut short");
      In parts(chunked);
      uint64_t number = 0;
      if (!parts.Field(format::kChunkedKind, &number) || !parts.Field(format::kChunkedChunks, &number) ||
          !parts.Field(format::kChunkedRefs, &bytes)) {
        return in->Fail("chunks that are not as they must be");
      }
    }
    if (!AppendHashes(in, bytes, hashes)) return false;
  }
  return in->ok();
}

void SkipFrames(In* in, uint32_t field) {
  std::string_view frame;
  while (in->ok() && in->Take(Key(field, wire::kLength))) in->Bytes(&frame);
}

bool ScanSegment(In* in, std::vector<Sha256>* hashes) {
  uint64_t kind = 0;
  std::string_view bytes;
  if (!in->Field(format::kSegmentKind, &kind) || !in->Field(format::kSegmentBytes, &bytes)) return false;
  if (kind == format::kNode && !AppendHashes(in, bytes, hashes)) return false;
  SkipFrames(in, format::kSegmentFrames);
  return ScanCells(in, format::kSegmentValues, hashes) && in->AtEnd();
}

bool DecodeFrames(In* in, DecodeContext* context, DecodedSegment* segment) {
  uint64_t live = 0;
  while (in->ok() && in->Take(Key(format::kSegmentFrames, wire::kLength))) {
    FrameRecord& frame = segment->frames.emplace_back();
    if (!ReadFrame(in, *context->program, &frame)) return false;
    uint32_t window = 0;
    uint32_t return_to = 0;
    if (!CallBelow(*context->program, frame, &window, &return_to)) {
      return in->Fail("a frame below another that calls nothing");
    }
    const std::vector<bool>& map = *LiveRegisters(*context->program, frame);
    live += static_cast<uint64_t>(
        std::count(map.begin(), map.begin() + std::min<ptrdiff_t>(window, std::ssize(map)), true));
  }
  if (segment->frames.empty()) return in->Fail("a group without frames");
  return CellDecoder(context, format::kSegmentValues).Read(in, live, &segment->values);
}

bool DecodeSegment(In* in, DecodeContext* context, DecodedSegment* segment) {
  std::string_view bytes;
  if (!in->Field(format::kSegmentKind, &segment->kind) || !in->Field(format::kSegmentBytes, &bytes)) return false;
  CellDecoder cells(context, format::kSegmentValues);
  switch (segment->kind) {
    case format::kTextChunk:
    case format::kBytesChunk:
      if (bytes.size() != format::kChunkBytes) return in->Fail("a chunk that is not 4096 bytes");
      segment->bytes = bytes;
      return in->AtEnd();
    case format::kNode:
      if (bytes.size() != kSealFanOut * sizeof(Sha256)) return in->Fail("a node that has not 16 hashes");
      return AppendHashes(in, bytes, &segment->hashes) && in->AtEnd();
    default:
      break;
  }
  if (!bytes.empty()) return in->Fail("bytes where there must be none");
  bool whole = false;
  switch (segment->kind) {
    case format::kListChunk:
      whole = cells.ReadAll(in, &segment->values);
      break;
    case format::kHashChunk:
      whole = cells.ReadEntries(in, &segment->values);
      break;
    case format::kOneValue:
      whole = cells.Read(in, 1, &segment->values);
      break;
    case format::kFrames:
      whole = DecodeFrames(in, context, segment);
      break;
    default:
      return in->Fail("a segment of a kind that is not known");
  }
  if (!whole || !in->AtEnd()) return false;
  if (segment->values.empty() && segment->kind != format::kFrames) return in->Fail("a chunk without values");
  if (segment->kind == format::kOneValue && !segment->values.front().IsHeap())
    return in->Fail("a value that needs no segment");
  return true;
}

bool AppendLeaves(const DecodedSegments& segments, const Sha256& hash, uint32_t height, uint32_t kind,
                  std::vector<const DecodedSegment*>* leaves) {
  auto at = segments.find(hash);
  if (at == segments.end() || at->second.kind != (height == 0 ? kind : static_cast<uint32_t>(format::kNode)))
    return false;
  if (height == 0) {
    leaves->push_back(&at->second);
    return true;
  }
  // As deep as the tree is high: at most 6.
  return std::all_of(at->second.hashes.begin(), at->second.hashes.end(),
                     [&](const Sha256& child) { return AppendLeaves(segments, child, height - 1, kind, leaves); });
}

}  // namespace

bool LeavesOf(const DecodedSegments& segments, uint64_t chunks, std::string_view refs, uint32_t kind,
              std::vector<const DecodedSegment*>* leaves) {
  if (chunks == 0 || chunks > format::kChunksMax || refs.size() != SealRoots(chunks) * sizeof(Sha256)) return false;
  uint32_t height = 0;
  while (chunks >> 4 * (height + 1) > 0) height++;
  for (const char* at = refs.data();; height--) {
    for (uint64_t digit = chunks >> 4 * height & 15; digit > 0; digit--, at += sizeof(Sha256)) {
      Sha256 hash;
      std::memcpy(hash.data(), at, sizeof hash);
      if (!AppendLeaves(segments, hash, height, kind, leaves)) return false;
    }
    if (height == 0) break;
  }
  assert(leaves->size() == chunks);
  return true;
}

Status LoadSegments(std::string_view state, const SegmentSource& segment_of, DecodeContext* context) {
  Pending root;
  {
    In in(state);
    std::string_view skipped;
    uint64_t number = 0;
    std::string_view frame_refs;
    in.Field(format::kStateVersion, &number);
    in.Field(format::kStateProgram, &skipped);
    in.Field(format::kStateTid, &skipped);
    in.Field(format::kStateNextStep, &number);
    in.Field(format::kStateClosures, &number);
    if (in.Take(Key(format::kStatePending, wire::kLength))) in.Bytes(&skipped);
    in.Field(format::kStateFrameGroups, &number);
    in.Field(format::kStateFrameRefs, &frame_refs);
    AppendHashes(&in, frame_refs, &root.children);
    SkipFrames(&in, format::kStateFrames);
    ScanCells(&in, format::kStateValues, &root.children);
    if (!in.ok()) return CorruptAt("state", in);
    if (root.children.empty()) return Unit{};
  }
  uint64_t bytes = 0;
  std::unordered_set<Sha256, Sha256Hasher> seen;
  std::vector<Pending> open;
  open.push_back(std::move(root));
  for (;;) {
    Pending& at = open.back();
    if (at.next < at.children.size()) {
      Sha256 hash = at.children[at.next++];
      if (!seen.insert(hash).second) continue;
      Result<std::string> fetched = segment_of(hash);
      if (!fetched.ok()) return fetched.failure();
      if (Sha256Of(fetched.value()) != hash) {
        return Fail(FailureCode::kCorrupt,
                    NameOf(hash) + ": its " + std::to_string(fetched.value().size()) + " bytes have another hash");
      }
      bytes += fetched.value().size();
      if (bytes > kStateBytesMax)
        return Fail(FailureCode::kCorrupt, "the segments are larger than a thread's state can be");
      Pending pending{hash, std::move(fetched).value(), {}, 0};
      In in(pending.bytes);
      if (!ScanSegment(&in, &pending.children)) return CorruptAt(NameOf(hash), in);
      open.push_back(std::move(pending));
      continue;
    }
    if (open.size() == 1) return Unit{};
    In in(at.bytes);
    DecodedSegment segment;
    if (!DecodeSegment(&in, context, &segment)) return CorruptAt(NameOf(at.hash), in);
    context->segments.emplace(at.hash, std::move(segment));
    open.pop_back();
  }
}

}  // namespace teal::vm
