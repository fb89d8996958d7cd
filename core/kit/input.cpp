#include "core/kit/input.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "core/kit/verdict.h"

namespace teal::kit {
namespace {

Layout g_layout = Layout::kPlain;
constexpr std::size_t kTail = 64;  // what a newer host's teal_call has more
constexpr int kUnknowable = 0xA5;  // as a pointer it is not canonical, as a number it is large

}  // namespace

void SetLayout(Layout layout) {
  g_layout = layout;
}
Layout CurrentLayout() {
  return g_layout;
}

Inputs::~Inputs() {
  for (const Piece& piece : pieces_) {
    if (piece.mapped) {
      ::munmap(piece.memory, piece.size);
    } else {
      std::free(piece.memory);
    }
  }
}

void* Inputs::Place(const void* data, std::size_t size) {
  if (g_layout != Layout::kGuarded) {
    void* memory = std::malloc(size + kTail);
    if (memory == nullptr) Fail("the kit is out of memory");
    std::memcpy(memory, data, size);
    pieces_.push_back({memory, size, false});
    return memory;
  }
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t body = (size + page - 1) / page * page;
  void* memory = ::mmap(nullptr, body + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) Fail("the kit is out of memory");
  char* const start = static_cast<char*>(memory) + (body - size);
  std::memcpy(start, data, size);
  ::mprotect(static_cast<char*>(memory) + body, page, PROT_NONE);
  ::mprotect(memory, body, PROT_READ);
  pieces_.push_back({memory, body + page, true});
  return start;
}

teal_bytes Inputs::Bytes(std::string_view text) {
  if (text.empty()) return {nullptr, 0};
  if (g_layout != Layout::kUnaligned)
    return {static_cast<const uint8_t*>(Place(text.data(), text.size())), text.size()};
  std::vector<char> shifted(text.size() + 1);
  std::memcpy(shifted.data() + 1, text.data(), text.size());
  return {static_cast<const uint8_t*>(Place(shifted.data(), shifted.size())) + 1, text.size()};
}

teal_key Inputs::Key(std::string_view partition, std::string_view sort) {
  return {Bytes(partition), Bytes(sort)};
}

teal_call* Inputs::Call(const teal_call& call) {
  if (g_layout != Layout::kLonger) return static_cast<teal_call*>(Place(&call, sizeof call));
  std::vector<char> longer(sizeof call + kTail);
  std::memset(longer.data(), kUnknowable, longer.size());
  std::memcpy(longer.data(), &call, sizeof call);
  auto* placed = static_cast<teal_call*>(Place(longer.data(), longer.size()));
  placed->struct_size = static_cast<uint32_t>(longer.size());
  return placed;
}

void Inputs::Retire() {
  for (const Piece& piece : pieces_) {
    if (piece.mapped) ::mprotect(piece.memory, piece.size, PROT_NONE);
  }
}

}  // namespace teal::kit
