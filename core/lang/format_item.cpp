// The formatter's top level.
#include "core/lang/format_impl.h"

namespace teal::lang {

std::string Formatter::Run() {
  bool first = true;
  uint32_t last_end = 0;
  bool after_function = false;
  for (size_t i = 0; i < module_.items.size(); ++i) {
    const Item& item = module_.items[i];
    const uint32_t begin = item.attributes.empty() ? item.span.begin : item.attributes[0].span.begin;
    const bool force_blank = after_function || item.kind == ItemKind::kFunction || !item.attributes.empty();
    const size_t comments = comment_;
    if (!Lead(begin, &first, &last_end, force_blank)) {
      StartLine(begin, &first, last_end, force_blank && comments == comment_);
    }
    // What an attribute is for follows it without a blank line.
    const auto follow = [&](uint32_t follower) {
      bool started = false;
      uint32_t from = follower;
      if (!Lead(follower, &started, &from, false)) StartLine(follower, &started, follower, false);
    };
    for (size_t k = 0; k < item.attributes.size(); ++k) {
      const bool last = k + 1 == item.attributes.size();
      const uint32_t next = last ? item.span.begin : item.attributes[k + 1].span.begin;
      PrintAttribute(item.attributes[k]);
      Trail(item.attributes[k].span.end, next);
      follow(next);
    }
    PrintItem(item);
    const uint32_t limit = i + 1 < module_.items.size() ? (module_.items[i + 1].attributes.empty()
                                                               ? module_.items[i + 1].span.begin
                                                               : module_.items[i + 1].attributes[0].span.begin)
                                                        : static_cast<uint32_t>(text_.size());
    last_end = Trail(item.span.end, limit);
    after_function = item.kind == ItemKind::kFunction;
  }
  Lead(static_cast<uint32_t>(text_.size()), &first, &last_end, false);
  while (!out_.empty() && (out_.back() == ' ' || out_.back() == '\n')) out_.pop_back();
  if (!out_.empty()) out_ += '\n';
  return std::move(out_);
}

void Formatter::PrintItem(const Item& item) {
  switch (item.kind) {
    case ItemKind::kFunction:
      return PrintNamedFunction(item);
    case ItemKind::kConstant:
      Emit(item.name.text);
      Emit(" = ");
      return Print(*item.value, 0);
    case ItemKind::kImportForeign:
      return PrintImport(item);
    case ItemKind::kImportModule: {
      StringExpr path(item.path_span);
      path.value = item.path;
      Emit("import ");
      PrintString(path);
      Emit(" as " + item.name.text);
      return;
    }
    case ItemKind::kStray:
      return PrintStatement(*item.stray);
  }
}

void Formatter::PrintImport(const Item& item) {
  if (item.call_form) {
    const Item::Foreign& foreign = item.functions[0];
    Emit("import(" + foreign.function.text + ", ");
    if (item.language_span.end > item.language_span.begin) Emit(":" + item.language + " ");
    Emit(item.module.text);
    if (foreign.arity) {
      Emit(", ");
      Emit(Text(foreign.arity_span));
    }
    if (foreign.local.span.begin != foreign.function.span.begin) Emit(", " + foreign.local.text);
    Emit(")");
    return;
  }
  Emit("from " + item.module.text + " import");
  indent_ += kFormatIndent;
  for (size_t i = 0; i < item.functions.size(); ++i) {
    const Item::Foreign& foreign = item.functions[i];
    std::string written = foreign.function.text;
    if (foreign.local.span.begin != foreign.function.span.begin) written += " as " + foreign.local.text;
    const bool last = i + 1 == item.functions.size();
    if (!last) written += ",";
    if (i > 0 && column_ + 1 + written.size() > kFormatColumnsMax) {
      NewLine();
    } else {
      Emit(" ");
    }
    Emit(written);
  }
  indent_ -= kFormatIndent;
}

void Formatter::PrintAttribute(const Attribute& attribute) {
  Emit("#[" + attribute.name.text);
  if (!attribute.arguments.empty()) {
    std::vector<Element> elements;
    for (const Attribute::Arg& arg : attribute.arguments) {
      Element element;
      element.span = arg.span;
      element.value = arg.value.get();
      element.keyword = arg.key ? &*arg.key : nullptr;
      element.attribute = true;
      elements.push_back(element);
    }
    const auto print = [&] { PrintElements("(", ")", elements, attribute.span.end - 1); };
    if (!TryFlat(print)) print();
  }
  Emit("]");
}

void Formatter::PrintNamedFunction(const Item& item) {
  const auto print = [&] {
    Emit("fn " + item.name.text);
    PrintParameters(item.parameters, item.body->span.begin);
    Emit(" ");
    PrintBlock(*item.body);
  };
  if (!TryFlat(print)) print();
}

}  // namespace teal::lang
