// Values as streams of cells (state.proto, message Value).
//
// A stream is self-contained: its cells refer to objects of the same stream and, by hash, to segments. What is cut out
// into segments depends on the value alone, never on where it stands or on what was written before.
// One encoder serves one checkpoint; not synchronised. The values must not change meanwhile.
#pragma once

#include <unordered_map>
#include <vector>

#include "core/vm/checkpoint_format.h"
#include "core/vm/checkpoint_memo.h"
#include "core/vm/checkpoint_scratch.h"
#include "core/vm/checkpoint_wire.h"
#include "core/vm/value.h"

namespace teal::vm {

// Numbers of the objects that a stream holds, by address. Only objects with several references are looked up; a few of
// them cost no allocation.
class ObjectNumbers {
 public:
  // The number that `object` has, or UINT64_MAX after giving it `number`.
  uint64_t FindOrAdd(const Object* object, uint64_t number);

 private:
  struct Slot {
    const Object* object = nullptr;
    uint64_t number = 0;
  };
  static constexpr size_t kFew = 8;
  void Grow();
  Slot few_[kFew];           // in the order of their coming, as long as slots_ is empty
  std::vector<Slot> slots_;  // open addressing
  size_t used_ = 0;
};

struct CellStream {
  explicit CellStream(uint32_t values_field) : key(static_cast<uint8_t>(wire::Key(values_field, wire::kLength))) {}
  wire::Out out;
  uint8_t key;  // of the repeated field that the cells are
  uint64_t objects = 0;
  ObjectNumbers numbers;
  std::vector<Sha256> children;  // segments referred to, as often as they are
};

// Adds up the cells of values as long as nothing would be cut: the quick way for small states.
class SmallMeasure {
 public:
  // False: the values together may need cutting.
  bool Add(const Value& value);
  bool AddBytes(uint64_t bytes) { return (bytes_ += bytes) < format::kChunkBytes; }

 private:
  bool AddOne(const Value& value);
  uint64_t bytes_ = 0;
  Scratch<const Object*> open_scratch_;
  std::vector<const Object*>& open_ = *open_scratch_;
};

class ValueEncoder {
 public:
  // segments null: nothing is cut, Measure need not be called.
  explicit ValueEncoder(SegmentSet* segments) : segments_(segments) {}

  // Bytes that the value's cells take where nothing is shared. Makes the segments that the value needs. Must be called
  // before Emit, unless SmallMeasure found the value small.
  uint64_t Measure(const Value& value);
  void Emit(CellStream* stream, const Value& value);

 private:
  enum class Form : uint8_t { kInline, kChunked, kSegment };
  struct Plan {
    Form form = Form::kInline;
    uint64_t weight = 0;
    Sha256 segment{};      // Form::kSegment
    bool chunked = false;  // where its own cells stand, it is in chunks
  };
  // A value whose contents are being measured.
  struct Open {
    Object* object;
    uint64_t next = 0, end = 0;       // children, as Child counts them
    uint64_t weight = 0;              // of the children since chunk_start
    uint64_t chunk_start = 0;         // item
    std::unique_ptr<Seals> seals;     // being continued
    const Seals* complete = nullptr;  // or those of a shared value, which already cover it
  };

  bool NeedsPlan(const Value& value) const;
  Open Begin(const Value& value);
  void Account(Open* open, uint64_t weight);
  void CloseChunk(Open* open, uint64_t end);
  const Plan& Finish(Open open);
  void SealText(Open* open);
  void InstallSeals(Open* open);
  void EmitCell(CellStream* stream, const Value& value, bool defined);
  // defined: the value's own cells, though it is a segment elsewhere.
  void EmitAll(CellStream* stream, const Value& value, bool defined);
  void EmitHole(CellStream* stream);
  void EmitChunked(CellStream* stream, const Object* object);
  const Plan* PlanOf(const Value& value) const;

  SegmentSet* segments_;
  std::unordered_map<const Object*, Plan> plans_;
  std::vector<Open> measuring_;
  struct Cursor {
    const Object* object;
    uint64_t next, end;
  };
  Scratch<Cursor> emitting_scratch_;
  std::vector<Cursor>& emitting_ = *emitting_scratch_;
};

}  // namespace teal::vm
