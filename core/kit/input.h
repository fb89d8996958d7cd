// Inputs of one call, laid out as the test wants them. They belong to the kit until the call's `done` returned.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "abi/include/teal/abi.h"

namespace teal::kit {

enum class Layout {
  kPlain,
  kGuarded,    // each at the end of a page, with a page behind it that nobody may touch
  kUnaligned,  // bytes at odd addresses; NULL where they are empty
  kLonger,     // a teal_call of a newer host: longer, with what the plugin cannot know behind
};

// How the calls made from now on lay out their inputs. kPlain at first. Set while no call is open.
void SetLayout(Layout layout);
Layout CurrentLayout();

// Owned by its call. Not thread-safe.
class Inputs {
 public:
  Inputs() = default;
  ~Inputs();
  Inputs(const Inputs&) = delete;
  Inputs& operator=(const Inputs&) = delete;

  // A copy of `text`. Empty: NULL.
  teal_bytes Bytes(std::string_view text);
  // Copies of all parts as well.
  teal_key Key(std::string_view partition, std::string_view sort);
  template <typename Struct>
  Struct* Array(std::span<const Struct> values) {
    return static_cast<Struct*>(Place(values.data(), values.size_bytes()));
  }
  // With the layout kLonger its struct_size covers what lies behind, too.
  teal_call* Call(const teal_call& call);

  // After `done` returned: whoever touches the inputs of a guarded call now, dies of SIGSEGV.
  void Retire();

 private:
  struct Piece {
    void* memory;
    std::size_t size;
    bool mapped;
  };
  void* Place(const void* data, std::size_t size);

  std::vector<Piece> pieces_;
};

}  // namespace teal::kit
