// An opened instance: what the parts of the plugin share, and how calls of the host get onto its loop and back.
#pragma once

#include <teal/abi.h>

#include <memory>
#include <optional>
#include <teal/plugin.hpp>

#include "plugins/aws/blobs.hpp"
#include "plugins/aws/commit.hpp"
#include "plugins/aws/config.hpp"
#include "plugins/aws/credentials.hpp"
#include "plugins/aws/due.hpp"
#include "plugins/aws/dynamodb.hpp"
#include "plugins/aws/operation.hpp"
#include "plugins/aws/reads.hpp"
#include "plugins/aws/s3.hpp"
#include "plugins/aws/table.hpp"
#include "plugins/aws/values.hpp"
#include "plugins/common/memory_input.hpp"

struct teal_instance {
  teal_instance(const teal_host* host, const teal_http* http, teal::aws::Config its_config);
  ~teal_instance();

  // Control. Looks at the table, which it makes if asked for.
  teal::aws::Status Prepare();
  // Control. Ends every call, then what the plugin does by itself; then nothing runs any more.
  void Close();

  uint64_t Deadline(const teal_call& call) const {
    return call.deadline_unix_ns != 0 ? call.deadline_unix_ns : context.Now() + config.timeout_ns;
  }

  // Constant after Prepare.
  const teal::aws::Config config;
  teal::plugin::MemoryLimits limits;
  uint64_t features = 0;

  teal::plugin::OpenCalls calls;
  // Loop thread only from here on.
  teal::aws::Context context;
  teal::aws::CredentialCache credentials;
  teal::aws::DynamoDb dynamodb;
  std::optional<teal::aws::S3> s3;
  teal::aws::Values values;
  teal::aws::Commits commits;
  teal::aws::Reads reads;
  teal::aws::DueIndex due;
  std::optional<teal::aws::Blobs> blobs;

 private:
  teal::aws::Detached RunPrepare(std::optional<teal::aws::Status>& out, struct Finished& finished);
  teal::aws::Detached RunInterrupt();
  teal::aws::Detached RunShutdown(struct Finished& finished);
};

namespace teal::aws {

extern const teal_memory kMemoryTable;  // memory_table.cpp

teal_status Open(const teal_host* host, teal_bytes config_json, teal_instance** out, teal_error* error);

}  // namespace teal::aws
