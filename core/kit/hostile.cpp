// Hosts of other ages: their structs and tables are shorter or longer than the plugin's own.
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <nlohmann/json.hpp>
#include <vector>

#include "abi/include/teal/bytes.hpp"
#include "core/kit/memory.h"
#include "core/kit/options.h"
#include "core/kit/subject.h"
#include "core/kit/test.h"
#include "core/kit/tour.h"
#include "core/kit/verdict.h"

namespace teal::kit {
namespace {

constexpr uint8_t kCanary = 0xC7;
constexpr std::size_t kNewer = 256;  // what a newer host's struct has more

// Room for an out-struct that ends at the end of a page nobody may write behind.
class OutStruct {
 public:
  explicit OutStruct(std::size_t size) : size_(size), page_(static_cast<std::size_t>(::sysconf(_SC_PAGESIZE))) {
    memory_ = ::mmap(nullptr, 2 * page_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory_ == MAP_FAILED) Fail("the kit is out of memory");
    ::mprotect(static_cast<char*>(memory_) + page_, page_, PROT_NONE);
    std::memset(data(), kCanary, size_);
    const auto said = static_cast<uint32_t>(size_);
    std::memcpy(data(), &said, sizeof said);
  }
  ~OutStruct() { ::munmap(memory_, 2 * page_); }
  OutStruct(const OutStruct&) = delete;
  OutStruct& operator=(const OutStruct&) = delete;

  uint8_t* data() const { return static_cast<uint8_t*>(memory_) + (page_ - size_); }
  template <typename Struct>
  Struct* as() const {
    return reinterpret_cast<Struct*>(data());
  }
  // The first byte from `from` on that was written, or `size`.
  std::size_t WrittenFrom(std::size_t from) const {
    while (from < size_ && data()[from] == kCanary) ++from;
    return from;
  }

 private:
  std::size_t size_;
  std::size_t page_;
  void* memory_;
};

// `fill` writes an out-struct; `whole` is what it writes into one of this kit's size.
template <typename Struct, typename Fill>
void CheckOut(const char* what, const Struct& whole, Fill&& fill) {
  const auto* expected = reinterpret_cast<const uint8_t*>(&whole);
  for (std::size_t size = 8; size <= sizeof(Struct); size += 8) {
    const OutStruct out(size);
    Note(what, " into a struct of ", size, " bytes");
    fill(out.as<Struct>());
    for (std::size_t i = sizeof(uint32_t); i < size; ++i) {
      Expect(out.data()[i] == expected[i], what, " into a struct of ", size, " bytes leaves byte ", i,
             " other than in one of ", sizeof(Struct));
    }
  }
  const OutStruct longer(sizeof(Struct) + kNewer);
  Note(what, " into a struct of ", sizeof(Struct) + kNewer, " bytes");
  fill(longer.as<Struct>());
  if (Tested().plugin->abi_minor > TEAL_ABI_MINOR) return;  // a newer plugin may know what comes next
  const std::size_t written = longer.WrittenFrom(sizeof(Struct));
  Expect(written == sizeof(Struct) + kNewer, what, " into a longer struct writes byte ", written,
         "; the struct of 1.0 has ", sizeof(Struct));
}

template <typename Caps, typename Table>
void CheckCaps(const char* what, const Table& table, teal_instance* instance) {
  Caps whole{};
  whole.struct_size = sizeof whole;
  table.caps(instance, &whole);
  CheckOut<Caps>(what, whole, [&](Caps* out) { table.caps(instance, out); });
}

void OutStructs() {
  Host host;
  {
    const Instance instance(host);
    if (Tested().memory != nullptr)
      CheckCaps<teal_memory_caps>("caps of " TEAL_MEMORY_ID, *Tested().memory, instance.handle());
    if (Tested().threads != nullptr)
      CheckCaps<teal_threads_caps>("caps of " TEAL_THREADS_ID, *Tested().threads, instance.handle());
  }
  const auto refuse = [&](teal_error* out) {
    Inputs inputs;
    teal_instance* instance = nullptr;
    if (Tested().plugin->open(host.table(), inputs.Bytes("nonsense"), &instance, out) == TEAL_OK) {
      Tested().plugin->close(instance);
    }
  };
  teal_error whole{};
  whole.struct_size = sizeof whole;
  refuse(&whole);
  // Of the message only what lies before its end counts.
  const std::size_t used = offsetof(teal_error, message) + ::strnlen(whole.message, sizeof whole.message);
  for (std::size_t size = 8; size <= sizeof whole; size += 8) {
    const OutStruct out(size);
    Note("open with an error of ", size, " bytes");
    refuse(out.as<teal_error>());
    // A message cut short may end earlier.
    for (std::size_t i = sizeof(uint32_t); i < std::min({size, used, offsetof(teal_error, message)}); ++i) {
      Expect(out.data()[i] == reinterpret_cast<const uint8_t*>(&whole)[i], "an error of ", size,
             " bytes differs at byte ", i);
    }
  }
  const OutStruct longer(sizeof whole + kNewer);
  refuse(longer.as<teal_error>());
  Expect(longer.WrittenFrom(sizeof whole) == sizeof whole + kNewer || Tested().plugin->abi_minor > TEAL_ABI_MINOR,
         "open writes byte ", longer.WrittenFrom(sizeof whole), " of a longer error; that of 1.0 has ", sizeof whole);
}

void WorksOrIsRefused(HostShape shape, const char* words) {
  Host host({.shape = shape});
  const Opened opened = Open(host, Given().config);
  if (opened.status != TEAL_OK) {
    Expect(opened.error.message[0] != '\0', "with ", words, " open gives ", StatusName(opened.status),
           " without words");
    return;
  }
  Tested().plugin->close(opened.instance);
  Instance instance(host);
  Tour(instance);
}

void OlderHost() {
  WorksOrIsRefused(HostShape::kBare, "a host that serves nothing");
  WorksOrIsRefused(HostShape::kOlder, "a host whose services have one function");
}

void NewerHost() {
  SetLayout(Layout::kLonger);
  Host host({.shape = HostShape::kNewer});
  {
    Instance instance(host);
    Tour(instance, {.rounds = 2});
  }
  if (Tested().memory == nullptr) return;
  const Memory memory(host);
  const Key key = MakeKey("newer", "s");
  memory.Must(Put(key, "value"));
  const auto record = memory.MustGet(key);
  Expect(record && record->value == "value", "with a newer host a record does not hold what was written");
}

constexpr std::array<Test, 3> kTests = {{{"LIFE-7", Needs::kNothing, 60, OutStructs},
                                         {"LIFE-8", Needs::kNothing, 120, OlderHost},
                                         {"LIFE-9", Needs::kNothing, 60, NewerHost}}};

}  // namespace

std::span<const Test> HostileTests() {
  return kTests;
}

}  // namespace teal::kit
