// Signs every case of AWS's own test suite (as the crate aws-sigv4 carries it) and compares canonical request, string
// to sign and signature of the header and the query form. `aws_sigv4_vectors FOLDER`; closes with "N passed, N failed".
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "plugins/aws/encoding.hpp"
#include "plugins/aws/sigv4.hpp"

namespace {

namespace fs = std::filesystem;
using namespace teal::aws;

std::string Read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

struct Request {
  std::string method, path, query, body;
  std::vector<SigningHeader> headers;
};

// The format of request.txt: an HTTP/1.1 request; a header's line that begins with a space continues the one before.
Request Parse(const std::string& text) {
  Request out;
  const std::size_t end = text.find("\n\n");
  out.body = end == std::string::npos ? "" : text.substr(end + 2);
  std::istringstream lines(text.substr(0, end));
  std::string line;
  std::getline(lines, line);
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  out.method = line.substr(0, first);
  out.path = line.substr(first + 1, last - first - 1);
  if (const std::size_t mark = out.path.find('?'); mark != std::string::npos) {
    out.query = out.path.substr(mark + 1);
    out.path.resize(mark);
  }
  while (std::getline(lines, line)) {
    if (!line.empty() && (line[0] == ' ' || line[0] == '\t')) {
      out.headers.back().value += " " + line;
      continue;
    }
    const std::size_t colon = line.find(':');
    if (colon != std::string::npos) out.headers.push_back({line.substr(0, colon), line.substr(colon + 1)});
  }
  return out;
}

int passed = 0;
int failed = 0;

void Expect(const fs::path& file, const std::string& got) {
  const std::string want = Read(file);
  if (want == got) {
    ++passed;
    return;
  }
  ++failed;
  std::cout << file.parent_path().filename().string() << "/" << file.filename().string() << ":\n--- wanted\n"
            << want << "\n--- got\n"
            << got << "\n";
}

void Check(const fs::path& folder) {
  const auto context = nlohmann::json::parse(Read(folder / "context.json"));
  const Request request = Parse(Read(folder / "request.txt"));
  const auto& credentials = context["credentials"];
  const SigningKeys keys{credentials["access_key_id"], credentials["secret_access_key"],
                         credentials.value("token", "")};
  SigningOptions options;
  options.region = context["region"];
  options.service = context["service"];
  options.time_unix_s = ParseTimestamp(context["timestamp"].get<std::string>()).value();
  options.normalize_path = context["normalize"];
  options.double_encode_path = false;  // the suite's paths are encoded already
  options.sign_session_token = !context.value("omit_session_token", false);
  options.add_payload_hash = context["sign_body"];
  options.expires_s = context["expiration_in_seconds"];
  const SigningRequest signing{request.method, request.path, request.query, request.headers,
                               Hex(AsText(Sha256(request.body)))};
  const auto expect = [&](const std::string& form, const Signature& signature) {
    Expect(folder / (form + "-canonical-request.txt"), signature.canonical_request);
    Expect(folder / (form + "-string-to-sign.txt"), signature.string_to_sign);
    Expect(folder / (form + "-signature.txt"), signature.signature);
  };
  expect("header", SignHeaders(signing, keys, options));
  expect("query", SignQuery(signing, keys, options));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: aws_sigv4_vectors FOLDER\n";
    return 2;
  }
  std::set<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(argv[1])) {
    if (fs::exists(entry.path() / "context.json")) folders.insert(entry.path());
  }
  for (const fs::path& folder : folders) Check(folder);
  std::cout << folders.size() << " cases: " << passed << " passed, " << failed << " failed\n";
  return failed == 0 && folders.size() == 38 ? 0 : 1;
}
