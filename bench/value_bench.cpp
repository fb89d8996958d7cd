// Values: time of one operation of each of the machine's hot paths.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "core/vm/operators.h"
#include "core/vm/value.h"
#include "core/vm/value_inline.h"

namespace teal::vm {
namespace {

void ListAppendInPlace(benchmark::State& state) {
  Value list = MakeList();
  for (auto _ : state) {
    if (list.As<List>()->size == 100000) list = MakeList();
    Value item = Value::Int(1);
    if (!TryAppendInPlace(list, item, true)) list = ListAppend(std::move(list), std::move(item));
  }
}
BENCHMARK(ListAppendInPlace);

void ListIndex(benchmark::State& state) {
  Value list = MakeList();
  for (int i = 0; i < 1000; i++) list = ListAppend(std::move(list), Value::Int(i));
  int64_t i = 0;
  for (auto _ : state) {
    Value element = *TryIndex(list, Value::Int(i));
    benchmark::DoNotOptimize(element);
    i = i == 999 ? 0 : i + 1;
  }
}
BENCHMARK(ListIndex);

std::vector<Value> Keys(bool strings, int64_t count) {
  std::vector<Value> keys;
  for (int64_t i = 0; i < count; i++)
    keys.push_back(strings ? MakeString("key" + std::to_string(i)) : Value::Int(i * 7));
  return keys;
}

void HashInsert(benchmark::State& state) {
  std::vector<Value> keys = Keys(state.range(0) == 1, state.range(1));
  Value hash = MakeHash();
  size_t i = 0;
  for (auto _ : state) {
    hash = HashSet(std::move(hash), keys[i], Value::Int(1));
    if (++i == keys.size()) {
      i = 0;
      hash = MakeHash();
    }
  }
}
BENCHMARK(HashInsert)->ArgNames({"string", "entries"})->ArgsProduct({{0, 1}, {8, 1000, 100000}});

void HashLookup(benchmark::State& state) {
  std::vector<Value> keys = Keys(state.range(0) == 1, state.range(1));
  Value hash = MakeHash();
  for (const Value& key : keys) hash = HashSet(std::move(hash), key, Value::Int(1));
  size_t i = 0;
  for (auto _ : state) {
    const Value* found = HashGet(*hash.As<Hash>(), keys[i]);
    if (found == nullptr) state.SkipWithError("a key is lost");
    benchmark::DoNotOptimize(found);
    if (++i == keys.size()) i = 0;
  }
}
BENCHMARK(HashLookup)->ArgNames({"string", "entries"})->ArgsProduct({{0, 1}, {8, 1000, 100000}});

void StringAppendInPlace(benchmark::State& state) {
  Value string = MakeString("");
  for (auto _ : state) {
    if (string.As<String>()->size > 100000) string = MakeString("");
    string = StringAppend(std::move(string), "abcdefgh");
  }
}
BENCHMARK(StringAppendInPlace);

void StringMakeAndFree(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(MakeString("a short string"));
}
BENCHMARK(StringMakeAndFree);

}  // namespace
}  // namespace teal::vm
