#include "tests/plugins/k8s/both.h"

namespace teal::k8s_test {

INSTANTIATE_TEST_SUITE_P(K8s, Both, testing::Values("TEAL_K8S_URL", "TEAL_K8S_POOLED_URL"), NameOf);

}  // namespace teal::k8s_test
