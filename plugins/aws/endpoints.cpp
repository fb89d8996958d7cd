#include "plugins/aws/endpoints.hpp"

namespace teal::aws {
namespace {

std::string Service(const Config& config, const std::string& service) {
  const char* const domain = config.region.starts_with("cn-") ? ".amazonaws.com.cn" : ".amazonaws.com";
  return "https://" + service + "." + config.region + domain;
}

}  // namespace

std::string DynamoDbEndpoint(const Config& config) {
  return config.dynamodb_endpoint.empty() ? Service(config, "dynamodb") : config.dynamodb_endpoint;
}

std::string StsEndpoint(const Config& config) {
  return config.sts_endpoint.empty() ? Service(config, "sts") : config.sts_endpoint;
}

std::string BucketUrl(const Config& config) {
  const std::string base = config.s3_endpoint.empty() ? Service(config, "s3") : config.s3_endpoint;
  // A name with dots does not fit AWS's certificate as a host name.
  if (config.path_style || config.bucket.find('.') != std::string::npos) return base + "/" + config.bucket;
  const std::size_t host = base.find("://") + 3;
  return base.substr(0, host) + config.bucket + "." + base.substr(host);
}

}  // namespace teal::aws
