#include "core/config/triggers.h"

#include <gtest/gtest.h>

#include "core/config/schema.h"
#include "core/config/trigger_sections.h"

namespace teal::config {
namespace {

struct Read {
  Node tree;
  std::vector<Error> errors;
  std::vector<Trigger> triggers;
};

// `events`: the list of the one function f, in flow style.
std::unique_ptr<Read> Events(const std::string& events) {
  auto read = std::make_unique<Read>();
  read->tree = std::get<Node>(ParseTree("teal.yaml", "functions: {f: {events: [" + events + "]}}\n"));
  read->errors = CheckSchema(read->tree, ProjectSchema());
  EXPECT_TRUE(read->errors.empty()) << events;
  read->triggers = ReadTriggers(read->tree, &read->errors);
  return read;
}

std::string Told(const std::string& events) {
  const auto read = Events(events);
  return read->errors.empty() ? "fine" : read->errors.front().message;
}

TEST(Triggers, ShortFormsAndAliasesMeanTheSame) {
  for (const char* const one : {"http: 'POST /orders/{id}'", "httpApi: 'POST /orders/{id}'",
                                "http: {path: '/orders/{id}', methods: [POST], auth: key}",
                                "http: {route: 'orders/{id}', method: post, authLevel: function}"}) {
    const auto read = Events(one);
    ASSERT_EQ(read->triggers.size(), 1u) << one;
    const HttpTrigger& http = std::get<HttpTrigger>(read->triggers[0].what);
    EXPECT_EQ(http.path, "/orders/{id}");
    EXPECT_EQ(http.methods, std::vector<std::string>{"POST"});
    EXPECT_EQ(http.auth, "key");
  }
  for (const char* const one :
       {"s3: {bucket: upl, prefix: in/, suffix: .jpg}",
        "s3: {bucket: upl, event: 's3:ObjectCreated:*', rules: [{prefix: in/}, {suffix: .jpg}]}"}) {
    const auto read = Events(one);
    const S3Trigger& s3 = std::get<S3Trigger>(read->triggers.at(0).what);
    EXPECT_EQ(s3.bucket + "|" + s3.prefix + "|" + s3.suffix + "|" + s3.events.at(0), "upl|in/|.jpg|s3:ObjectCreated:*");
  }
  for (const char* const one :
       {"schedule: rate(5 minutes)", "schedule: {rate: 5 minutes}", "schedule: {rate: rate(5 minutes)}"}) {
    const auto read = Events(one);
    EXPECT_EQ(std::get<ScheduleTrigger>(read->triggers.at(0).what).expression, "rate(5 minutes)");
  }
}

TEST(Triggers, ContradictionsAreTold) {
  EXPECT_EQ(Told("http: {path: /a, route: a}"), "`route` and `path` mean the same");
  EXPECT_EQ(Told("http: {methods: [GET]}"), "http needs the key `path`");
  EXPECT_EQ(Told("http: {path: /a, auth: hmac}"), "auth: hmac needs the key `hmac`");
  EXPECT_EQ(Told("schedule: {timezone: UTC}"), "schedule needs one of the keys `cron`, `rate` and `at`");
  EXPECT_EQ(Told("s3: {bucket: upl, prefix: a, rules: [{prefix: b}]}"), "a second `prefix` for one trigger");
  EXPECT_EQ(Told("http: 4GET /a"), "the route begins with no method of HTTP");
}

TEST(Triggers, OtherKindsAreTheirPlugins) {
  const auto read = Events("sqs: {queue: orders, batch: 10}");
  ASSERT_EQ(read->triggers.size(), 1u);
  EXPECT_EQ(KindOf(read->triggers[0]), "sqs");
  EXPECT_EQ(Told("shcedule: {cron: '0 3 * * *'}"), "unknown kind of trigger `shcedule`: did you mean `schedule`?");
  EXPECT_EQ(Told("htttp: {path: /a}"), "unknown kind of trigger `htttp`: did you mean `http`?");
}

TEST(Triggers, SectionsAreWhatPluginsGet) {
  const auto read = Events(
      "schedule: {cron: '0 3 * * *', jitter: 30s}, schedule: {rate: 5 minutes, name: often}, "
      "sqs: {queue: orders, batch: 10}, s3: {bucket: upl, rules: [{prefix: in/}]}");
  std::vector<Error> errors;
  const std::vector<TriggerSection> sections = ReadTriggerSections(read->tree, nullptr, &errors);
  ASSERT_TRUE(errors.empty()) << errors[0].message;
  ASSERT_EQ(sections.size(), 4u);
  const std::pair<const char*, const char*> wanted[] = {
      {"f.schedule.1", R"({"expression":"0 3 * * *","jitter":"30s","timezone":"UTC"})"},
      {"often", R"~({"expression":"rate(5 minutes)","timezone":"UTC"})~"},
      {"f.sqs", R"({"batch":10,"queue":"orders"})"},
      {"f.s3", R"({"bucket":"upl","events":["s3:ObjectCreated:*"],"prefix":"in/","suffix":""})"}};
  for (size_t i = 0; i < sections.size(); ++i) {
    EXPECT_EQ(sections[i].name, wanted[i].first);
    EXPECT_EQ(sections[i].config_json, wanted[i].second);
    EXPECT_EQ(sections[i].function, "f");
  }
  const auto twice = Events("schedule: {rate: 5 minutes, name: often}, s3: {bucket: upl, name: often}");
  ReadTriggerSections(twice->tree, nullptr, &errors);
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_EQ(errors[0].message, "two triggers have the name often");
}

TEST(Triggers, OneRouteHasOneTrigger) {
  EXPECT_EQ(Told("http: 'GET /a/{x}', http: 'POST /a/{x}'"), "fine");
  EXPECT_EQ(Told("http: 'GET /a/{x}', http: 'GET /a/new'"), "fine");
  EXPECT_EQ(Told("http: 'GET /a/{x}', http: 'GET /a/{x+}'"), "fine");
  EXPECT_EQ(Told("http: 'GET /a/{x}', http: 'GET /a/{y}'"),
            "two triggers on one route: GET /a/{y} is taken in teal.yaml:1");
  EXPECT_EQ(Told("http: /a, http: {path: /a, methods: [PUT]}"),
            "two triggers on one route: PUT /a is taken in teal.yaml:1");
}

TEST(Triggers, RulesOfABucketDoNotOverlap) {
  EXPECT_EQ(Told("s3: {bucket: upl, prefix: a/}, s3: {bucket: upl, prefix: b/}"), "fine");
  EXPECT_EQ(Told("s3: {bucket: upl, suffix: .jpg}, s3: {bucket: upl, suffix: .png}"), "fine");
  EXPECT_EQ(Told("s3: upl, s3: upm"), "fine");
  EXPECT_EQ(Told("s3: upl, s3: {bucket: upl, event: 's3:ObjectRemoved:*'}"), "fine");
  EXPECT_NE(Told("s3: upl, s3: {bucket: upl, prefix: a/, event: 's3:ObjectCreated:Put'}").find("overlap"),
            std::string::npos);
  EXPECT_NE(Told("s3: {bucket: upl, prefix: a}, s3: {bucket: upl, suffix: z}").find("overlap"), std::string::npos);
}

TEST(Triggers, RoutesArePatterns) {
  for (const char* const route : {"/", "/a", "/a-b/{id}/c.d", "/files/{rest+}", "/{a}/{b}"}) {
    EXPECT_EQ(WrongRoute(route), std::nullopt) << route;
  }
  const struct {
    const char* route;
    const char* message;
  } cases[] = {{"a", "does not begin with /"},
               {"", "does not begin with /"},
               {"/a/", "ends with /"},
               {"/a//b", "has an empty segment: //"},
               {"/a/../b", "has the segment .."},
               {"/{rest+}/b", "has {rest+} before its end"},
               {"/{id:int}", "has a parameter with a bad name: {id:int}"},
               {"/{+}", "has a parameter with a bad name: {+}"},
               {"/{a}/{a}", "has the parameter {a} twice"},
               {"/a{b}", "has a parameter that is no whole segment: a{b}"},
               {"/{}", "has a parameter that is no whole segment: {}"},
               {"/a?b", "has a character that no segment holds: space, ?, # and % cannot be matched"}};
  for (const auto& c : cases) EXPECT_EQ(WrongRoute(c.route), std::optional<std::string>(c.message)) << c.route;
}

}  // namespace
}  // namespace teal::config
