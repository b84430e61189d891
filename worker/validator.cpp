#include "worker/validator.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>
#include <string_view>

#include "common/channel.h"
#include "common/event.h"
#include "worker/connection_core.h"
#include "worker/module_config.h"
#include "worker/module_host.h"
#include "worker/server.h"

namespace drover {
namespace {

struct NoListener final : Channel::Listener {
  void on_message(Message /*message*/) override {}
  void on_channel_closed() override {}
};

std::string not_loaded(const ServerSettings& server, const std::vector<LoadedModule>& modules) {
  std::vector<std::string_view> names;
  names.reserve(modules.size());
  for (const LoadedModule& module : modules) names.emplace_back(module.table.name);
  return fmt::format("{}: server {}: protocol {} is not loaded (loaded: {})",
                     server.source.to_string(), server.name, server.protocol,
                     names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", ")));
}

class Validator {
 public:
  Validator(const Heritage& heritage, event_base* base, Channel& channel)
      : heritage_(heritage),
        base_(base),
        channel_(channel),
        helpers_(heritage.settings->servers.size()) {}

  // What is wrong, all of one stage: later ones would only tell it a second time.
  std::vector<std::string> run() {
    for (const ModuleImageHeritage& image : heritage_.modules) load(image);
    if (errors_.empty()) errors_ = check_servers(*heritage_.settings, modules_);
    if (errors_.empty()) ask_modules();
    if (errors_.empty()) report_metrics();
    if (errors_.empty()) report_helpers();
    return std::move(errors_);
  }

 private:
  // Said and delivered before it is done: there may be no time after.
  void announce(const std::string& text) {
    channel_.send(MessageType::kTrying, std::string_view(text).substr(0, kMaxMessageBody));
    channel_.flush();
  }

  void load(const ModuleImageHeritage& image) {
    announce(fmt::format("loading module {} ({})", image.name, image.origin));
    auto loaded = load_module(image);
    if (!loaded.ok()) {
      errors_.push_back(loaded.error().message());
    } else if (find_module(modules_, loaded->table.name) != nullptr) {
      errors_.push_back(fmt::format("module {} ({}): another loaded module is called {} too",
                                    image.name, image.origin, loaded->table.name));
    } else {
      modules_.push_back(*loaded);
    }
  }

  // The master loads no module: it has the names of what they count from here.
  void report_metrics() {
    for (const LoadedModule& module : modules_) {
      if (module.metrics.empty()) continue;
      channel_.send(MessageType::kMetrics, encode_metrics({module.table.name, module.metrics}));
    }
  }

  void ask_modules() {
    // What the host functions work on, as in a worker, but without connections and with a seat that
    // nobody reads.
    const auto seat = std::make_unique<Seat>();
    ConnectionCore core({.base = base_, .log = heritage_.log, .seat = seat.get(), .capacity = 0},
                        nullptr);
    core.begin_batch();  // now_ms
    for (const ServerSettings& settings : heritage_.settings->servers) ask_module(core, settings);
  }

  void ask_module(ConnectionCore& core, const ServerSettings& settings) {
    const LoadedModule& module = *find_module(modules_, settings.protocol);
    if (module.table.validate == nullptr) return;
    announce(fmt::format("module {} checked server {}", module.table.name, settings.name));
    Server server(core, settings, module.table, Admission(settings, nullptr, nullptr));
    server.heritage = &heritage_;  // without doorbells: nobody is rung
    server.helpers = &helpers_;
    server.metrics = ServerMetrics(module.metrics, {});
    server.config = read_module_config(module.directives, settings, *heritage_.settings).config;
    if (Status valid = validate_module(server); !valid) errors_.push_back(valid.error().message());
    core.timers().stop_all(server);
  }

  void report_helpers() {
    for (const HelperName& helper : helpers_.all()) {
      channel_.send_body(MessageType::kWantHelper, want_helper_body(helper));
    }
  }

  const Heritage& heritage_;
  event_base* base_;
  Channel& channel_;
  std::vector<LoadedModule> modules_;
  HelperList helpers_;
  std::vector<std::string> errors_;
};

}  // namespace

std::vector<std::string> check_servers(const Settings& settings,
                                       const std::vector<LoadedModule>& modules) {
  std::vector<std::string> errors;
  for (const ServerSettings& server : settings.servers) {
    const LoadedModule* module = find_module(modules, server.protocol);
    const auto wrong = module == nullptr
                           ? std::vector{not_loaded(server, modules)}
                           : read_module_config(module->directives, server, settings).errors;
    errors.insert(errors.end(), wrong.begin(), wrong.end());
  }
  return errors;
}

int validator_main(const Heritage& heritage) {
  const EventBase base = make_event_base();
  NoListener listener;
  Channel channel(base.get(), UniqueFd(heritage.channel_fd), &listener);
  const std::vector<std::string> errors = Validator(heritage, base.get(), channel).run();
  if (errors.empty()) {
    channel.send(MessageType::kReady);
  } else {
    const std::string text = fmt::format("{}", fmt::join(errors, "\n"));
    channel.send(MessageType::kFailed, std::string_view(text).substr(0, kMaxMessageBody));
  }
  channel.flush();
  return errors.empty() ? 0 : 1;
}

}  // namespace drover
