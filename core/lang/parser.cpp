#include "core/lang/parser.h"

#include "core/lang/lexer_char.h"
#include "core/lang/parser_impl.h"

namespace teal::lang {

void Parser::Advance() {
  prev_end_ = cur_.end;
  cur_ = lexer_.Next(cur_.end);
}

Token Parser::Peek() {
  return lexer_.Next(cur_.end);
}

bool Parser::Accept(TokenKind kind) {
  if (!At(kind)) return false;
  Advance();
  return true;
}

bool Parser::AtSymbol() const {
  return At(TokenKind::kColon) && cur_.end < text_.size() && BeginsWord(text_[cur_.end]);
}

bool Parser::AtOperand() const {
  return At(TokenKind::kColon) ? AtSymbol() : BeginsOperand(cur_.kind);
}

bool Parser::AtItemBorder() {
  if (!cur_.newline_before || !AtColumnOne()) return false;
  if (At(TokenKind::kImport) || At(TokenKind::kFrom) || At(TokenKind::kAttribute)) return true;
  return At(TokenKind::kFn) && Peek().kind == TokenKind::kName;
}

std::unique_ptr<Module> Parse(const SourceFile& file, Diagnostics& diagnostics) {
  auto module = std::make_unique<Module>();
  module->file = &file;
  Parser(file, diagnostics, *module).Run();
  return module;
}

}  // namespace teal::lang
