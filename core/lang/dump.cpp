// The tree as text, for `teal ast` and the tests.
#include <array>
#include <cassert>
#include <charconv>

#include "core/lang/format.h"

namespace teal::lang {
namespace {

constexpr std::array kUnaryNames = {"-", "!", "async", "await"};

std::string Quoted(const std::string& text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto code = static_cast<uint8_t>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (code < 0x20 || code == 0x7F) {
      out += "\\x";
      out += kHex[code >> 4];
      out += kHex[code & 15];
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string Number(double value) {
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, value);
  return std::string(digits, end.ptr);
}

class Dumper {
 public:
  explicit Dumper(const Module& module) : module_(module) {}

  std::string Run() {
    Line("module", {0, static_cast<uint32_t>(module_.file->text().size())});
    ++depth_;
    for (const Item& item : module_.items) DumpItem(item);
    return std::move(out_);
  }

 private:
  void Line(const std::string& text, Span span) {
    const Position from = module_.file->At(span.begin);
    const Position to = module_.file->At(span.end);
    out_.append(static_cast<size_t>(depth_) * 2, ' ');
    out_ += text + " " + std::to_string(from.line) + ":" + std::to_string(from.column) + "-" + std::to_string(to.line) +
            ":" + std::to_string(to.column) + "\n";
  }

  // A line with what belongs to it, one level further in.
  template <typename Fn>
  void Group(const std::string& text, Span span, const Fn& inside) {
    Line(text, span);
    ++depth_;
    inside();
    --depth_;
  }

  void Idents(const char* what, const std::vector<Ident>& idents) {
    for (const Ident& ident : idents) Line(std::string(what) + " " + ident.text, ident.span);
  }

  void DumpItem(const Item& item) {
    for (const Attribute& attribute : item.attributes) {
      Group("attribute " + attribute.name.text, attribute.span, [&] {
        for (const Attribute::Arg& arg : attribute.arguments) {
          Group(arg.key ? "argument " + arg.key->text : "argument", arg.span, [&] { Dump(*arg.value); });
        }
      });
    }
    switch (item.kind) {
      case ItemKind::kFunction:
        Group("function " + item.name.text, item.span, [&] {
          Idents("parameter", item.parameters);
          Dump(*item.body);
        });
        break;
      case ItemKind::kConstant:
        Group("constant " + item.name.text, item.span, [&] { Dump(*item.value); });
        break;
      case ItemKind::kImportForeign:
        Group("import " + item.language + " " + item.module.text, item.span, [&] {
          for (const Item::Foreign& foreign : item.functions) {
            std::string text = "foreign " + foreign.function.text;
            if (foreign.arity) text += "/" + std::to_string(*foreign.arity);
            if (foreign.local.text != foreign.function.text) text += " as " + foreign.local.text;
            Line(text, foreign.function.span);
          }
        });
        break;
      case ItemKind::kImportModule:
        Line("import " + Quoted(item.path) + " as " + item.name.text, item.span);
        break;
      case ItemKind::kStray:
        Group("stray", item.span, [&] { Dump(*item.stray); });
        break;
    }
  }

  void DumpOptional(const char* role, const Expr* expr) {
    if (expr == nullptr) return;
    Group(role, expr->span, [&] { Dump(*expr); });
  }

  void Dump(const Expr& expr) {
    switch (expr.kind) {
      case ExprKind::kNull:
        return Line("null", expr.span);
      case ExprKind::kBool:
        return Line(As<BoolExpr>(expr).value ? "true" : "false", expr.span);
      case ExprKind::kInt:
        return Line("int " + std::to_string(As<IntExpr>(expr).magnitude), expr.span);
      case ExprKind::kFloat:
        return Line("float " + Number(As<FloatExpr>(expr).value), expr.span);
      case ExprKind::kString:
        return Line("string " + Quoted(As<StringExpr>(expr).value), expr.span);
      case ExprKind::kSymbol:
        return Line("symbol " + As<SymbolExpr>(expr).name, expr.span);
      case ExprKind::kName:
        return Line("name " + As<NameExpr>(expr).name, expr.span);
      case ExprKind::kBreak:
        return Line("break", expr.span);
      case ExprKind::kContinue:
        return Line("continue", expr.span);
      case ExprKind::kDuration: {
        const auto& duration = As<DurationExpr>(expr);
        return Line(
            "duration " + (duration.integral ? std::to_string(duration.whole_seconds) : Number(duration.seconds)),
            expr.span);
      }
      case ExprKind::kUnary: {
        const auto& unary = As<UnaryExpr>(expr);
        return Group(std::string("unary ") + kUnaryNames[static_cast<size_t>(unary.op)], expr.span, [&] {
          if (unary.operand != nullptr) Dump(*unary.operand);
        });
      }
      case ExprKind::kBinary: {
        const auto& binary = As<BinaryExpr>(expr);
        std::string text = "binary";
        for (const BinaryOp op : binary.ops) text += std::string(" ") + kBinaryTexts[static_cast<size_t>(op)];
        return Group(text, expr.span, [&] { DumpAll(binary.operands); });
      }
      case ExprKind::kFormat:
        return DumpFormat(As<FormatExpr>(expr));
      case ExprKind::kList:
        return Group("list", expr.span, [&] { DumpAll(As<ListExpr>(expr).items); });
      case ExprKind::kPipe:
        return Group("pipe", expr.span, [&] { DumpAll(As<PipeExpr>(expr).stages); });
      case ExprKind::kBlock:
        return Group("block", expr.span, [&] { DumpAll(As<BlockExpr>(expr).statements); });
      case ExprKind::kHash:
        return Group("hash", expr.span, [&] {
          for (const auto& [key, value] : As<HashExpr>(expr).entries) {
            Dump(*key);
            Dump(*value);
          }
        });
      case ExprKind::kAssign:
        return Group("assign", expr.span, [&] {
          Dump(*As<AssignExpr>(expr).target);
          Dump(*As<AssignExpr>(expr).value);
        });
      case ExprKind::kCall:
        return DumpCall(As<CallExpr>(expr));
      case ExprKind::kIndex:
        return Group("index", expr.span, [&] {
          Dump(*As<IndexExpr>(expr).object);
          Dump(*As<IndexExpr>(expr).index);
        });
      case ExprKind::kSlice:
        return Group("slice", expr.span, [&] {
          Dump(*As<SliceExpr>(expr).object);
          DumpOptional("from", As<SliceExpr>(expr).from.get());
          DumpOptional("to", As<SliceExpr>(expr).to.get());
        });
      case ExprKind::kField:
        return Group("field " + As<FieldExpr>(expr).field.text, expr.span, [&] { Dump(*As<FieldExpr>(expr).object); });
      case ExprKind::kFunction: {
        const auto& function = As<FunctionExpr>(expr);
        return Group(function.spelled_lambda ? "lambda" : "fn", expr.span, [&] {
          Idents("parameter", function.parameters);
          Dump(*function.body);
        });
      }
      case ExprKind::kIf:
        return DumpIf(As<IfExpr>(expr));
      case ExprKind::kFor: {
        const auto& loop = As<ForExpr>(expr);
        const std::string names = loop.first.text + (loop.second ? ", " + loop.second->text : "");
        return Group("for " + names, expr.span, [&] {
          Dump(*loop.subject);
          Dump(*loop.body);
        });
      }
      case ExprKind::kWhile:
        return Group("while", expr.span, [&] {
          Dump(*As<WhileExpr>(expr).condition);
          Dump(*As<WhileExpr>(expr).body);
        });
      case ExprKind::kTry:
        return DumpTry(As<TryExpr>(expr));
      case ExprKind::kReturn:
        return Group("return", expr.span, [&] {
          if (As<ReturnExpr>(expr).value != nullptr) Dump(*As<ReturnExpr>(expr).value);
        });
    }
    assert(false);
  }

  void DumpAll(const std::vector<ExprPtr>& exprs) {
    for (const ExprPtr& expr : exprs) Dump(*expr);
  }

  void DumpFormat(const FormatExpr& format) {
    Group("format", format.span, [&] {
      for (size_t i = 0; i < format.literals.size(); ++i) {
        if (!format.literals[i].empty()) Line("text " + Quoted(format.literals[i]), format.span);
        if (i < format.parts.size()) Dump(*format.parts[i]);
      }
    });
  }

  void DumpCall(const CallExpr& call) {
    Group("call", call.span, [&] {
      Dump(*call.callee);
      for (const Argument& argument : call.arguments) {
        if (argument.keyword) {
          Group("keyword " + argument.keyword->text, argument.keyword->span, [&] { Dump(*argument.value); });
        } else {
          Dump(*argument.value);
        }
      }
    });
  }

  void DumpIf(const IfExpr& made) {
    Group("if", made.span, [&] {
      for (const IfExpr::Clause& clause : made.clauses) {
        Dump(*clause.condition);
        Dump(*clause.body);
      }
      DumpOptional("else", made.otherwise.get());
    });
  }

  void DumpTry(const TryExpr& made) {
    Group("try", made.span, [&] {
      Dump(*made.body);
      for (const TryExpr::Clause& clause : made.clauses) {
        Group(clause.name ? "catch " + clause.name->text : "catch", clause.span, [&] {
          DumpOptional("guard", clause.guard.get());
          Dump(*clause.body);
        });
      }
      DumpOptional("finally", made.finally.get());
    });
  }

  const Module& module_;
  std::string out_;
  int depth_ = 0;
};

}  // namespace

std::string DumpTree(const Module& module) {
  return Dumper(module).Run();
}

}  // namespace teal::lang
