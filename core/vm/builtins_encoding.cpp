// Builtins that write values in other forms and read them back.
#include "core/base/sha256.h"
#include "core/vm/builtins_internal.h"
#include "core/vm/json.h"
#include "core/vm/string_base64.h"
#include "core/vm/value_inline.h"
#include "core/vm/value_walk.h"

namespace teal::vm {
namespace {

// Digesting a byte takes about as long as comparing so many.
constexpr uint64_t kSha256Work = 16;

bool WantTextOrBytes(std::string_view name, const Value& v, Value* result) {
  if (v.tag() == Tag::kString || v.tag() == Tag::kBytes) return true;
  return FailType(result, name, "the argument", "a string or bytes", v);
}

}  // namespace

// json_encode(x): x as JSON without white space, keys in order of insertion. A symbol is its name, bytes are Base64, an
// error is {"kind", "message", "data"}, a secret "***". Functions, futures, nan, infinities and keys that are no
// strings are `type`, more than 100 levels `limit`.
bool Builtin_json_encode(Value* args, uint32_t, Value* result) {
  std::string text;
  const bool good = EncodeJson(args[0], &text, result);
  CountWork(text.size());
  if (!good) return false;
  if (text.size() > kStringBytesMax) return FailLimit(result, "json_encode");
  return Give(result, MakeString(text));
}

// json_decode(s): the value of a JSON text, a string or bytes of UTF-8. What is no JSON is `value`, with line and
// column; an integer past 64 bits `overflow`, a lone surrogate `type`, more than 100 levels `limit`. Of a key that
// comes twice the last value counts.
bool Builtin_json_decode(Value* args, uint32_t, Value* result) {
  if (!WantTextOrBytes("json_decode", args[0], result)) return false;
  Value decoded;
  CountWork(args[0].Text().size());
  if (!DecodeJson(args[0].Text(), &decoded, result)) return false;
  return Give(result, std::move(decoded));
}

// base64_encode(x): a string (its UTF-8) or bytes as Base64, a string.
bool Builtin_base64_encode(Value* args, uint32_t, Value* result) {
  if (!WantTextOrBytes("base64_encode", args[0], result)) return false;
  if (args[0].Text().size() / 3 * 4 + 4 > kStringBytesMax) return FailLimit(result, "base64_encode");
  std::string text;
  AppendBase64(args[0].Text(), &text);
  return Give(result, MakeString(text));
}

// base64_decode(s): the bytes that a string of Base64 stands for; anything else is `value`.
bool Builtin_base64_decode(Value* args, uint32_t, Value* result) {
  if (!WantString("base64_decode", "the argument", args[0], result)) return false;
  std::string bytes;
  CountWork(args[0].Text().size());
  if (!DecodeBase64(args[0].Text(), &bytes)) {
    return FailWith(result, "value", "base64_decode: the string is not Base64, got " + Describe(args[0]));
  }
  return Give(result, MakeBytes(bytes));
}

// sha256(x): the SHA-256 of a string (its UTF-8) or bytes, as 64 hexadecimal digits.
bool Builtin_sha256(Value* args, uint32_t, Value* result) {
  if (!WantTextOrBytes("sha256", args[0], result)) return false;
  CountWork(args[0].Text().size() * kSha256Work);
  return Give(result, MakeString(Hex(Sha256Of(args[0].Text()))));
}

}  // namespace teal::vm
