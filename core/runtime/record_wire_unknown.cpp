#include "core/runtime/record_wire.h"

namespace teal::runtime::record {
namespace {

// The lite library keeps unknown fields and offers no way to them but this member, which is protected.
struct Access : google::protobuf::MessageLite {
  static auto Member() { return &Access::_internal_metadata_; }
};

}  // namespace

const std::string& UnknownOf(const google::protobuf::MessageLite& message) {
  return (message.*Access::Member()).unknown_fields<std::string>(google::protobuf::internal::GetEmptyString);
}

void SetUnknown(const std::string& unknown, google::protobuf::MessageLite* message) {
  *(message->*Access::Member()).mutable_unknown_fields<std::string>() = unknown;
}

}  // namespace teal::runtime::record
