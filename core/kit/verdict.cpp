#include "core/kit/verdict.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace teal::kit {
namespace {

Board* g_board = nullptr;

void CopyText(char* to, std::size_t room, const std::string& text) {
  const std::size_t size = std::min(room - 1, text.size());
  std::memcpy(to, text.data(), size);
  to[size] = '\0';
}

}  // namespace

int MakeBoard() {
  const int descriptor = ::memfd_create("teal-plugin-check", MFD_CLOEXEC);
  if (descriptor < 0) return -1;
  if (::ftruncate(descriptor, sizeof(Board)) != 0) {
    ::close(descriptor);
    return -1;
  }
  return descriptor;
}

Board* MapBoard(int descriptor) {
  void* memory = ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  return memory == MAP_FAILED ? nullptr : static_cast<Board*>(memory);
}

std::string Journal(const Board& board, std::size_t count) {
  const uint64_t noted = board.noted.load();
  const uint64_t shown = std::min<uint64_t>({noted, Board::kLines, count});
  std::string out;
  for (uint64_t n = noted - shown; n < noted; ++n) {
    const char* line = board.lines[n % Board::kLines];
    if (!out.empty()) out += '\n';
    out.append(line, ::strnlen(line, Board::kLineBytes));
  }
  return out;
}

void SpeakTo(Board* board) {
  g_board = board;
}

void NoteText(const std::string& line) {
  if (g_board == nullptr) return;
  const uint64_t n = g_board->noted.fetch_add(1);
  CopyText(g_board->lines[n % Board::kLines], Board::kLineBytes, line);
}

void End(Result result, const std::string& detail) {
  if (g_board == nullptr) ::_exit(2);
  if (g_board->spoken.exchange(1) != 0) {
    // Somebody else speaks already and ends the process.
    for (;;) ::pause();
  }
  CopyText(g_board->detail, Board::kDetailBytes, detail);
  g_board->result.store(result);
  ::_exit(0);
}

}  // namespace teal::kit
