// The files ~/.aws/config and ~/.aws/credentials ("Configuration and credential file settings in the AWS CLI").
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "plugins/aws/config.hpp"
#include "plugins/aws/result.hpp"

namespace teal::aws {

using Profile = std::map<std::string, std::string>;
using Profiles = std::map<std::string, Profile>;

// `prefixed`: sections are named "profile NAME", as in the config file; "default" alone stands there, too. Settings of
// a nested group (indented lines) are passed over. What is no INI is passed over, as AWS's own tools do.
Profiles ParseProfiles(std::string_view text, bool prefixed);

// Both files merged; where both name a setting the credentials file's holds. Files that are absent are empty; one that
// cannot be read is an error that names it.
Result<Profiles> ReadProfiles(const Environment& environment);

// The file's text, nothing if there is no such file, or an error. At most 1 MiB.
Result<std::optional<std::string>> ReadSmallFile(const std::string& path);

// Of `config`, AWS_PROFILE, "default".
std::string ProfileName(const Config& config, const Environment& environment);

}  // namespace teal::aws
