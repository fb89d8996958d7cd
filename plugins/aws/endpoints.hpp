// Where AWS's services stand. Pure, any thread.
#pragma once

#include <string>

#include "plugins/aws/config.hpp"

namespace teal::aws {

// "https://dynamodb.eu-central-1.amazonaws.com", or what `config` puts in its place. No '/' at the end.
std::string DynamoDbEndpoint(const Config& config);
std::string StsEndpoint(const Config& config);
// The bucket's own, by host name or by path as `config` says; an object's key comes after it and a '/'.
std::string BucketUrl(const Config& config);

}  // namespace teal::aws
