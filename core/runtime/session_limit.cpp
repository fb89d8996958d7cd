// The attributes `concurrency`, `rate` and `priority`: of imports for each attempt of a call, of functions for the
// whole life of a thread that begins with one.
#include <cassert>

#include "core/runtime/session.h"

namespace teal::runtime {

using vm::Value;

namespace {

int PositionIn(const vm::Function& function, std::string_view parameter) {
  for (size_t i = 0; i < function.parameters.size(); ++i) {
    if (function.parameters[i].Text() == parameter) return static_cast<int>(i);
  }
  return -1;
}

}  // namespace

void Session::ReadPolicies() {
  policies_.reserve(program_->imports().size());
  for (const vm::Import& import : program_->imports()) {
    const auto index = static_cast<uint32_t>(policies_.size());
    const CallPolicy& policy = policies_.emplace_back(PolicyOf(import.attributes));
    import_limiters_.push_back(
        policy.limits.Any()
            ? runtime_->LimiterOf(*program_, true, index, import.module + "." + import.function, policy.limits)
            : nullptr);
  }
  for (uint32_t i = 0; i < program_->functions().size(); ++i) {
    const vm::Function& function = program_->functions()[i];
    if (function.attributes.empty()) continue;
    const CallPolicy policy = PolicyOf(function.attributes);
    if (!policy.limits.Any() && policy.priority == 0) continue;
    FunctionPolicy& kept = function_policies_[i];
    kept.priority = policy.priority;
    if (policy.limits.Any()) kept.limiter = runtime_->LimiterOf(*program_, false, i, function.name, policy.limits);
  }
}

std::unique_ptr<Admission> Session::AdmissionTo(Limiter* limiter, std::pair<int, int> positions,
                                                std::span<const Value> arguments, bool keywords, Value* error) const {
  const vm::Hash* named = keywords ? arguments.back().As<vm::Hash>() : nullptr;
  if (keywords) arguments = arguments.first(arguments.size() - 1);
  const auto encode = [&](const std::string& parameter, int position, std::string* key) {
    if (parameter.empty()) return true;
    Value value;  // a parameter that is left out counts as null
    if (position >= 0 && static_cast<size_t>(position) < arguments.size()) {
      value = arguments[static_cast<size_t>(position)];
    } else if (named != nullptr) {
      if (const Value* given = HashGet(*named, parameter)) value = *given;
    }
    Result<std::string> encoded = vm::EncodeValue(value);
    if (!encoded.ok()) {
      *error = vm::MakeError("type", limiter->name() + ": `" + parameter +
                                         "` is the key of a limit and cannot be a value of type " +
                                         std::string(TypeName(value)));
      return false;
    }
    *key = std::move(*encoded);
    return true;
  };
  std::string running_key, begins_key;
  const LimitPolicy& policy = limiter->policy();
  if (!encode(policy.running_key, positions.first, &running_key)) return nullptr;
  if (!encode(policy.begins_key, positions.second, &begins_key)) return nullptr;
  return std::make_unique<Admission>(limiter, std::move(running_key), std::move(begins_key));
}

std::unique_ptr<Admission> Session::AdmissionToFunction(uint32_t function, std::span<const Value> arguments,
                                                        bool keywords, Value* error) const {
  const auto policy = function_policies_.find(function);
  if (policy == function_policies_.end() || policy->second.limiter == nullptr) return nullptr;
  const vm::Function& callee = program_->functions()[function];
  const LimitPolicy& limits = policy->second.limiter->policy();
  return AdmissionTo(policy->second.limiter,
                     {PositionIn(callee, limits.running_key), PositionIn(callee, limits.begins_key)}, arguments,
                     keywords, error);
}

std::unique_ptr<Admission> Session::AdmissionToImport(const vm::Request& request, Value* error) const {
  Limiter* const limiter = import_limiters_[request.id];
  if (limiter == nullptr) return nullptr;
  const int32_t fake = request.id < start_.fakes.size() ? start_.fakes[request.id] : -1;
  const auto position = [&](const std::string& name) {
    if (name.empty()) return -1;
    if (fake < 0) return foreign_->PositionOf(request.id, name);
    return PositionIn(program_->functions()[static_cast<size_t>(fake)], name);
  };
  const LimitPolicy& limits = limiter->policy();
  return AdmissionTo(limiter, {position(limits.running_key), position(limits.begins_key)}, request.arguments,
                     request.keywords, error);
}

const Admission& Session::PlaceOf(const ThreadRecord& record) {
  assert(record.wait == WaitKind::kPlace);
  // A thread that has begun has its own already, and waits for that of a call.
  return record.started ? *record.call->admission : *record.admission;
}

bool Session::EnterOrPark(ThreadRecord& record, Admission& admission) {
  if (admission.inside() || admission.Enter(&record)) return true;
  Park(record, Phase::kWaiting, WaitKind::kPlace);
  return false;
}

void Session::Admitted(ThreadRecord& record) {
  assert(record.wait == WaitKind::kPlace);
  Unpark(record);
  scheduler_.MakeReady(&record);
}

}  // namespace teal::runtime
