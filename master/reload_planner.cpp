#include "master/reload_planner.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "master/reload_report_text.h"

namespace drover {
namespace {

constexpr std::size_t kMostPlans = 4;  // each has a validator

const std::string kRefused = "plan: a reload would be refused; nothing has been changed\n";

std::string refusal(const std::string& why) { return why + "\n" + kRefused; }

}  // namespace

struct ReloadPlanner::Plan {
  Settings settings;
  std::vector<std::string> warnings;
  Format format;
  Reply reply;
  Millis began;
  std::vector<ModuleImage> images;
  std::unique_ptr<Validation> validation;
};

ConfigurationView view_of(const Generation* generation) {
  static const Settings kNothing;
  static const std::vector<ModuleImage> kNoModules;
  if (generation == nullptr) return {std::nullopt, &kNothing, 0, &kNoModules};
  return {generation->number(), &generation->settings(),
          static_cast<int>(generation->pool().workers().size()), &generation->images(),
          generation->closed_servers()};
}

ReloadPlanner::ReloadPlanner(MasterContext& context, Seats& seats,
                             std::function<const Generation*()> serving)
    : context_(context), seats_(seats), serving_(std::move(serving)) {}

ReloadPlanner::~ReloadPlanner() {
  for (const auto& plan : plans_) plan->validation->abort();
}

void ReloadPlanner::plan(ConfigResult config, Format format, const Reply& reply) {
  if (!config.ok()) return reply(1, refusal(fmt::format("{}", fmt::join(config.errors, "\n"))));
  if (plans_.size() >= kMostPlans) return reply(1, "plan: too many are being made, ask again\n");
  auto plan = std::make_unique<Plan>(Plan{std::move(config.settings),
                                          std::move(config.warnings),
                                          format,
                                          reply,
                                          monotonic_now(),
                                          {},
                                          nullptr});
  if (Status begun = begin(*plan); !begun) return reply(1, refusal(begun.error().message()));
  plans_.push_back(std::move(plan));
}

Status ReloadPlanner::begin(Plan& plan) {
  const Generation* serving = serving_();
  if (serving == nullptr) return Error("no generation serves");
  DROVER_TRY_DO(context_.zones->check(plan.settings));
  DROVER_TRY(plan.images, copy_modules(plan.settings));
  plan.validation = std::make_unique<Validation>(
      context_, [this, &plan](const std::string& why_not) { answer(plan, why_not); });
  return plan.validation->start(seats_, {&plan.settings, &plan.images,
                                         resolve_workers(plan.settings), serving->number() + 1});
}

void ReloadPlanner::answer(const Plan& plan, const std::string& why_not) const {
  if (!why_not.empty()) return plan.reply(1, refusal(why_not));
  const Generation* serving = serving_();  // which may be another by now
  if (serving == nullptr) return plan.reply(1, refusal("no generation serves"));
  ReloadReport report = compare(view_of(serving), {std::nullopt, &plan.settings,
                                                   resolve_workers(plan.settings), &plan.images});
  report.validated = monotonic_now() - plan.began;
  if (plan.format == Format::kJson) return plan.reply(0, report_json(report) + "\n");
  std::string text =
      fmt::format("plan: a reload of generation {} would do this\n", serving->number());
  for (const std::string& warning : plan.warnings) text += "  warning: " + warning + "\n";
  plan.reply(0, text + report_table(report));
}

// The answer is given inside; the plan goes when its validation has returned.
bool ReloadPlanner::on_exit(pid_t pid, int wait_status) {
  const auto whose = std::ranges::find_if(plans_, [pid, wait_status](const auto& plan) {
    return plan->validation->on_exit(pid, wait_status);
  });
  if (whose == plans_.end()) return false;
  plans_.erase(whose);
  return true;
}

}  // namespace drover
