#include "core/kit/subject.h"

#include <dlfcn.h>

#include <cstddef>

#include "core/kit/options.h"
#include "core/kit/proc.h"
#include "core/kit/verdict.h"

namespace teal::kit {
namespace {

Subject g_subject;

template <typename Table>
const Table* Interface(const char* id) {
  return static_cast<const Table*>(g_subject.plugin->get_interface(id));
}

}  // namespace

void LoadSubject() {
  const std::size_t before = Threads().size() + Descriptors().size();
  // Never closed: a plugin is never unloaded.
  void* library = ::dlopen(Given().library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) Fail("the library cannot be loaded: ", ::dlerror());
  void* symbol = ::dlsym(library, TEAL_PLUGIN_ENTRY);
  if (symbol == nullptr) Fail("the library is no plugin: it exports no " TEAL_PLUGIN_ENTRY);
  teal_plugin_entry entry = nullptr;
  static_assert(sizeof entry == sizeof symbol);
  *reinterpret_cast<void**>(&entry) = symbol;
  g_subject.plugin = entry();
  g_subject.started = Threads().size() + Descriptors().size() - before;
  if (g_subject.plugin == nullptr) Fail(TEAL_PLUGIN_ENTRY " gave NULL");
  const teal_plugin& plugin = *g_subject.plugin;
  if (plugin.struct_size < sizeof(teal_plugin)) {
    Fail("the table of " TEAL_PLUGIN_ENTRY " says struct_size ", plugin.struct_size, "; 1.0 has ", sizeof(teal_plugin));
  }
  if (plugin.open == nullptr || plugin.close == nullptr || plugin.get_interface == nullptr ||
      plugin.cancel == nullptr) {
    Fail("open, close, get_interface or cancel is NULL in the table of " TEAL_PLUGIN_ENTRY);
  }
  if (plugin.host_minor_min > TEAL_ABI_MINOR) {
    Fail("the plugin works with hosts of 1.", plugin.host_minor_min, " on; this kit is of 1.", TEAL_ABI_MINOR);
  }
  g_subject.memory = Interface<teal_memory>(TEAL_MEMORY_ID);
  g_subject.threads = Interface<teal_threads>(TEAL_THREADS_ID);
  g_subject.trigger = Interface<teal_trigger>(TEAL_TRIGGER_ID);
}

const Subject& Tested() {
  return g_subject;
}

}  // namespace teal::kit
