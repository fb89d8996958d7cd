// Where a project's host and its keys are: PROJECT/.teal/host, .teal/key and .teal/data.
#pragma once

#include <string>

#include "cli/globals.h"
#include "cli/serve/http_client.h"
#include "core/base/result.h"

namespace teal::cli {

struct HostPlace {
  HostAddress address;
  std::string key;  // empty: none was found
};

// The folder of --project, else the nearest parent with a teal.yaml, else the working directory.
std::string ProjectFolder(const Globals& globals);
std::string OwnFolder(const std::string& project);   // .teal
std::string KeyFile(const std::string& project);     // .teal/key
std::string HostFile(const std::string& project);    // .teal/host: who serves the project now
std::string KeysFile(const std::string& data);       // of the named keys
std::string DataFolder(const std::string& project);  // .teal/data

// Makes `.teal` (0700, with a .gitignore: keys and data do not belong into a repository) if need be.
Status MakeOwnFolder(const std::string& project);

// Says where the host of the project is, until RemoveHostFile.
Status WriteHostFile(const std::string& project, const std::string& url, const std::string& certificate_file);
// If it is this process's.
void RemoveHostFile(const std::string& project);

// TEAL_HOST, else the host file; --key, else TEAL_KEY, else the key file. kNotFound: no host is known; kInvalid.
Result<HostPlace> FindHost(const Globals& globals);

}  // namespace teal::cli
