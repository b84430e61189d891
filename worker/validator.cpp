#include "worker/validator.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string_view>

#include "common/channel.h"
#include "common/event.h"

namespace drover {
namespace {

struct NoListener final : Channel::Listener {
  void on_message(Message /*message*/) override {}
  void on_channel_closed() override {}
};

bool is_loaded(const std::vector<LoadedModule>& modules, std::string_view name) {
  return std::ranges::any_of(modules, [&](const LoadedModule& m) { return m.table.name == name; });
}

std::string where(const ServerSettings& server) {
  return fmt::format("{}: server {}", server.source.to_string(), server.name);
}

void check_protocol(const ServerSettings& server, const std::vector<LoadedModule>& modules,
                    std::vector<std::string>& errors) {
  if (!is_loaded(modules, server.protocol)) {
    std::vector<std::string_view> names;
    names.reserve(modules.size());
    for (const LoadedModule& module : modules) names.emplace_back(module.table.name);
    errors.push_back(
        fmt::format("{}: protocol {} is not loaded (loaded: {})", where(server), server.protocol,
                    names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "))));
    return;
  }
  for (const ModuleDirective& directive : server.module_directives) {
    errors.push_back(fmt::format("{}: server {}: protocol {} has no directive {}",
                                 directive.source.to_string(), server.name, server.protocol,
                                 directive.name));
  }
}

// Said and delivered before it is loaded: there may be no time after.
void announce(Channel& channel, const ModuleImageHeritage& image) {
  const std::string text = fmt::format("{} ({})", image.name, image.origin);
  channel.send(MessageType::kLoading, std::string_view(text).substr(0, kMaxMessageBody));
  channel.flush();
}

std::vector<std::string> validate(const Heritage& heritage, Channel& channel) {
  std::vector<std::string> errors;
  std::vector<LoadedModule> modules;
  for (const ModuleImageHeritage& image : heritage.modules) {
    announce(channel, image);
    auto loaded = load_module(image);
    if (!loaded.ok()) {
      errors.push_back(loaded.error().message());
    } else if (is_loaded(modules, loaded->table.name)) {
      errors.push_back(fmt::format("module {} ({}): another loaded module is called {} too",
                                   image.name, image.origin, loaded->table.name));
    } else {
      modules.push_back(*loaded);
    }
  }
  // A module that could not be loaded would only be reported a second time as missing.
  if (errors.empty()) errors = check_servers(*heritage.settings, modules);
  return errors;
}

}  // namespace

std::vector<std::string> check_servers(const Settings& settings,
                                       const std::vector<LoadedModule>& modules) {
  std::vector<std::string> errors;
  for (const ServerSettings& server : settings.servers) check_protocol(server, modules, errors);
  return errors;
}

int validator_main(const Heritage& heritage) {
  const EventBase base = make_event_base();
  NoListener listener;
  Channel channel(base.get(), UniqueFd(heritage.channel_fd), &listener);
  const std::vector<std::string> errors = validate(heritage, channel);
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
