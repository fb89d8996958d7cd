// The top level: imports, functions, constants and their attributes.
#include <cassert>

#include "core/lang/lexer_char.h"
#include "core/lang/lexer_literal.h"
#include "core/lang/parser_impl.h"

namespace teal::lang {

void Parser::Run() {
  cur_ = lexer_.Next(0);
  while (true) {
    while (Accept(TokenKind::kSemicolon)) continue;
    if (At(TokenKind::kEnd) || diagnostics_.Full()) break;
    if (At(TokenKind::kRightBrace)) {
      if (!stray_lost_) Report(cur_.span(), "`}` closes nothing", "remove it, or open a block before");
      stray_lost_ = true;
      Advance();
      continue;
    }
    const uint32_t begun = cur_.begin;
    context_ = kInBlock;
    depth_ = 0;
    ParseItem();
    if (block_lost_) {
      // The parser stands at the next item already.
      block_lost_ = false;
      open_.clear();
      panic_ = false;
    } else if (panic_) {
      Synchronize(0, begun);
    }
    suspect_.kind = TokenKind::kEnd;
  }
}

void Parser::EndItem() {
  if (panic_) return;
  if (At(TokenKind::kRightBrace)) return;  // Run() reports it
  EndStatement();
}

void Parser::ParseItem() {
  Item item;
  if (At(TokenKind::kAttribute)) item.attributes = ParseAttributes();
  if (panic_) return;
  const bool named = At(TokenKind::kFn) && Peek().kind == TokenKind::kName;
  if (named || At(TokenKind::kImport) || At(TokenKind::kFrom)) stray_lost_ = false;
  if (named) {
    ParseNamedFunction(std::move(item));
  } else if (At(TokenKind::kImport)) {
    ParseImport(std::move(item));
  } else if (At(TokenKind::kFrom)) {
    ParseFrom(std::move(item));
  } else {
    ParseOther(std::move(item));
  }
}

std::vector<Attribute> Parser::ParseAttributes() {
  std::vector<Attribute> attributes;
  while (!panic_ && At(TokenKind::kAttribute)) ParseAttribute(attributes);
  return attributes;
}

void Parser::ParseAttribute(std::vector<Attribute>& attributes) {
  Attribute attribute;
  const uint32_t begin = cur_.begin;
  OpenBracket();
  {
    ContextScope inside(*this, kInBrackets);
    ParseIdent(&attribute.name, "an attribute's name", "write e.g. `#[retry(max=3)]`");
    if (!panic_ && At(TokenKind::kLeftParen)) {
      OpenBracket();
      ParseElements(TokenKind::kRightParen, [&] {
        Attribute::Arg arg;
        const uint32_t arg_begin = cur_.begin;
        if (At(TokenKind::kName) && Peek().kind == TokenKind::kAssign) {
          arg.key = Ident{std::string(Text(cur_.span())), cur_.span()};
          Advance();
          Advance();
        }
        arg.value = ParsePipe();
        if (!panic_) CheckAttributeValue(*arg.value);
        arg.span = From(arg_begin);
        attribute.arguments.push_back(std::move(arg));
      });
      CloseBracket(TokenKind::kRightParen, "`,` or ");
    }
  }
  CloseBracket(TokenKind::kRightBracket, attribute.arguments.empty() ? "`(` or " : "");
  attribute.span = From(begin);
  attributes.push_back(std::move(attribute));
}

void Parser::CheckAttributeValue(const Expr& value) {
  switch (value.kind) {
    case ExprKind::kNull:
    case ExprKind::kBool:
    case ExprKind::kInt:
    case ExprKind::kFloat:
    case ExprKind::kString:
    case ExprKind::kSymbol:
    case ExprKind::kDuration:
    case ExprKind::kName:
      return;
    case ExprKind::kUnary: {
      const auto& unary = As<UnaryExpr>(value);
      const bool number = unary.operand->kind == ExprKind::kInt || unary.operand->kind == ExprKind::kFloat ||
                          unary.operand->kind == ExprKind::kDuration;
      if (unary.op == UnaryOp::kNegate && number) return;
      break;
    }
    case ExprKind::kList:
      for (const ExprPtr& item : As<ListExpr>(value).items) CheckAttributeValue(*item);
      return;
    default:
      break;
  }
  Report(value.span, "an attribute's value must be known before the program runs",
         "write a literal, a duration, a list of those, or a parameter's name");
}

void Parser::ParseNamedFunction(Item item) {
  item.kind = ItemKind::kFunction;
  const uint32_t begin = cur_.begin;
  Advance();
  item.name = {std::string(Text(cur_.span())), cur_.span()};
  Advance();
  item.parameters = ParseParameters();
  item.body = ParseBlock("the parameters", /*counted=*/false);
  item.span = From(begin);
  module_.items.push_back(std::move(item));
}

void Parser::ParseImport(Item item) {
  const uint32_t begin = cur_.begin;
  Advance();
  if (At(TokenKind::kLeftParen)) {
    ParseForeign(item);
  } else if (At(TokenKind::kString)) {
    if (!item.attributes.empty()) {
      Report(item.attributes[0].span, "attributes cannot stand before the import of a module",
             "put them before the functions in that module");
    }
    ParseModuleImport(item);
  } else {
    Expected("`(` or a file name in quotes",
             "write `import(f, src.main, 1)`, `import \"file.tl\" as name` or `from src.main import f`");
  }
  if (panic_) return;
  item.span = From(begin);
  EndItem();
  module_.items.push_back(std::move(item));
}

// import(f, :python src.main, 1, local)
void Parser::ParseForeign(Item& item) {
  const char* const form = "write `import(f, src.main, 1)`";
  item.kind = ItemKind::kImportForeign;
  item.call_form = true;
  Item::Foreign foreign;
  OpenBracket();
  ContextScope inside(*this, kInBrackets);
  ParseIdent(&foreign.function, "a function's name", form);
  foreign.local = foreign.function;
  Expect(TokenKind::kComma, "`,` and the module", form);
  if (!panic_ && AtSymbol()) {
    const Ident language = ReadSymbol();
    item.language = language.text;
    item.language_span = language.span;
  }
  ParseModulePath(item);
  // What follows is the count, the local name, or both in this order.
  bool more = !panic_ && Accept(TokenKind::kComma) && !At(TokenKind::kRightParen);
  if (more && !At(TokenKind::kName)) {
    if (!ParseForeignCount(foreign)) return;
    more = Accept(TokenKind::kComma) && !At(TokenKind::kRightParen);
  }
  if (more) {
    ParseIdent(&foreign.local, "a local name", "write `import(f, src.main, 1, local)`");
    if (!panic_) Accept(TokenKind::kComma);
  }
  CloseBracket(TokenKind::kRightParen, "");
  item.functions.push_back(std::move(foreign));
}

bool Parser::ParseForeignCount(Item::Foreign& foreign) {
  if (!At(TokenKind::kInt)) {
    Expected("the number of arguments", "write `import(f, src.main, 1)`; the number may be left out");
    return false;
  }
  const uint64_t count = DecodeInt(Text(cur_.span()));
  if (count > static_cast<uint64_t>(kParametersMax)) {
    Error(cur_.span(), "more than " + std::to_string(kParametersMax) + " parameters",
          "pass some of them together, in a list or hash");
    return false;
  }
  foreign.arity = static_cast<uint32_t>(count);
  foreign.arity_span = cur_.span();
  Advance();
  return true;
}

// src.main; the parts after the first may be keywords of Teal.
bool Parser::ParseModulePath(Item& item) {
  if (!ParseIdent(&item.module, "the name of a module", "write it as Python does, e.g. `src.main`, without quotes")) {
    return false;
  }
  while (At(TokenKind::kDot)) {
    Advance();
    if (!At(TokenKind::kName) && !IsKeyword(cur_.kind)) {
      Expected("a name after `.`", "write the module as Python does, e.g. `src.main`");
      return false;
    }
    item.module.text += "." + std::string(Text(cur_.span()));
    item.module.span.end = cur_.end;
    Advance();
  }
  return true;
}

// import "lib/util.tl" as util
void Parser::ParseModuleImport(Item& item) {
  item.kind = ItemKind::kImportModule;
  item.path_span = cur_.span();
  item.path = DecodeString(file_, {cur_.begin + 1, cur_.end - 1}, false, diagnostics_);
  Advance();
  const char* const form = "write `import \"lib/util.tl\" as util`";
  Expect(TokenKind::kAs, "`as` and a name for the module", form);
  ParseIdent(&item.name, "a name for the module", form);
}

// from src.main import f, g as h
void Parser::ParseFrom(Item item) {
  const char* const form = "write `from src.main import f, g as h`";
  item.kind = ItemKind::kImportForeign;
  const uint32_t begin = cur_.begin;
  Advance();
  ParseModulePath(item);
  Expect(TokenKind::kImport, "`import`", form);
  while (!panic_) {
    Item::Foreign foreign;
    if (!ParseIdent(&foreign.function, "a function's name", form)) break;
    foreign.local = foreign.function;
    if (!OnNewLine() && Accept(TokenKind::kAs)) ParseIdent(&foreign.local, "a local name", form);
    item.functions.push_back(std::move(foreign));
    if (panic_ || !Accept(TokenKind::kComma)) break;
  }
  item.span = From(begin);
  EndItem();
  // Also when its end is broken: the names that it binds are no mistakes further on.
  module_.items.push_back(std::move(item));
}

// NAME = value, or what has no place at top level.
void Parser::ParseOther(Item item) {
  const uint32_t begin = cur_.begin;
  if (!item.attributes.empty()) {
    Error(item.attributes.back().span, "an attribute stands before an import or a function",
          "put it on the line before `fn name(…)`, `import(…)` or `from … import`");
    item.attributes.clear();
    panic_ = false;
    if (At(TokenKind::kEnd)) return;
  }
  ExprPtr expr = ParseStatement();
  const bool broken = panic_;
  item.span = From(begin);
  if (!broken) EndItem();
  const bool constant = expr->kind == ExprKind::kAssign && As<AssignExpr>(*expr).target->kind == ExprKind::kName;
  if (constant) {
    auto& assign = As<AssignExpr>(*expr);
    item.kind = ItemKind::kConstant;
    item.name = {As<NameExpr>(*assign.target).name, assign.target->span};
    item.value = std::move(assign.value);
  } else {
    // After a mistake it most likely belongs to something else, and says nothing true.
    if (broken || panic_ || stray_lost_) return;
    item.kind = ItemKind::kStray;
    item.stray = std::move(expr);
  }
  if (stray_lost_) return;
  module_.items.push_back(std::move(item));
}

}  // namespace teal::lang
