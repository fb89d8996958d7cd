#include "core/kit/allocations.h"

#include <malloc.h>

#include <atomic>
#include <cerrno>
#include <cstddef>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TEAL_KIT_COUNTS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TEAL_KIT_COUNTS 0
#endif
#endif
#ifndef TEAL_KIT_COUNTS
#define TEAL_KIT_COUNTS 1
#endif

namespace teal::kit {
namespace {

std::atomic<int64_t> g_blocks{0};
std::atomic<int64_t> g_bytes{0};

}  // namespace

bool CountsAllocations() {
  return TEAL_KIT_COUNTS != 0;
}

Allocations LiveAllocations() {
  return {g_blocks.load(), g_bytes.load()};
}

}  // namespace teal::kit

#if TEAL_KIT_COUNTS

// glibc's own, under the names it keeps for those who stand in front of it.
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* block, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
void __libc_free(void* block);
}

namespace {

void* Counted(void* block) {
  if (block != nullptr) {
    teal::kit::g_blocks.fetch_add(1, std::memory_order_relaxed);
    teal::kit::g_bytes.fetch_add(static_cast<int64_t>(::malloc_usable_size(block)), std::memory_order_relaxed);
  }
  return block;
}

void Uncounted(void* block) {
  if (block == nullptr) return;
  teal::kit::g_blocks.fetch_sub(1, std::memory_order_relaxed);
  teal::kit::g_bytes.fetch_sub(static_cast<int64_t>(::malloc_usable_size(block)), std::memory_order_relaxed);
}

}  // namespace

#define TEAL_KIT_FRONT extern "C" __attribute__((visibility("default")))

TEAL_KIT_FRONT void* malloc(std::size_t size) noexcept {
  return Counted(__libc_malloc(size));
}
TEAL_KIT_FRONT void* calloc(std::size_t count, std::size_t size) noexcept {
  return Counted(__libc_calloc(count, size));
}
TEAL_KIT_FRONT void* realloc(void* block, std::size_t size) noexcept {
  Uncounted(block);
  void* moved = __libc_realloc(block, size);
  if (moved == nullptr && size != 0) Counted(block);  // what was there stays
  return Counted(moved);
}
TEAL_KIT_FRONT void free(void* block) noexcept {
  Uncounted(block);
  __libc_free(block);
}
TEAL_KIT_FRONT void* memalign(std::size_t alignment, std::size_t size) noexcept {
  return Counted(__libc_memalign(alignment, size));
}
TEAL_KIT_FRONT void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  return Counted(__libc_memalign(alignment, size));
}
TEAL_KIT_FRONT int posix_memalign(void** out, std::size_t alignment, std::size_t size) noexcept {
  void* block = __libc_memalign(alignment, size);
  if (block == nullptr) return ENOMEM;
  *out = Counted(block);
  return 0;
}

#endif
