#include "master/validation.h"

#include <fmt/format.h>
#include <sys/wait.h>

#include <csignal>
#include <cstring>
#include <utility>

#include "master/process_end.h"

namespace drover {

Status Validation::start(Seats& seats, const Candidate& candidate) {
  Heritage heritage;
  heritage.role = Role::kValidator;
  heritage.slots = candidate.slots;
  heritage.generation = candidate.generation;
  heritage.settings = candidate.settings;
  heritage.log = context_.log;
  for (const ModuleImage& image : *candidate.images) heritage.modules.push_back(image.heritage());
  helpers_ = HelperList(candidate.settings->servers.size());
  DROVER_TRY(child_, Child::spawn(context_, seats, std::move(heritage), this));
  timeout_.start(context_.base, candidate.settings->ready_timeout, this);
  return Done{};
}

void Validation::on_child_ready(Child& /*child*/) { said_yes_ = true; }

void Validation::on_child_failed(Child& /*child*/, const std::string& why) { why_not_ = why; }

// It has checked them itself: what cannot be is not the module's doing.
void Validation::on_child_wants_helper(Child& /*child*/, const Message& message) {
  const auto body = message.body_as<WantHelperBody>();
  const Status added = body ? helpers_.add(body.value()) : Status(body.error());
  if (!added) why_not_ = "the validator asked for what cannot be: " + added.error().message();
}

void Validation::on_timeout() {
  why_not_ = "the validator did not finish within ready_timeout" + doing();
  child_->kill(SIGKILL);
}

bool Validation::on_exit(pid_t pid, int wait_status) {
  if (child_ == nullptr || child_->pid() != pid) return false;
  child_->hear_last_words();
  if (why_not_.empty() && !(said_yes_ && is_clean_end(wait_status)))
    why_not_ = "the validator " + describe_end(wait_status) + doing();
  metrics_ = child_->metrics();
  child_.reset();
  timeout_.stop();
  const OnDone on_done = std::exchange(on_done_, [](const std::string&) {});
  on_done(why_not_);
  return true;
}

// Modules run code while they are loaded and in `validate`; what happens then is theirs.
std::string Validation::doing() const {
  return child_->trying().empty() ? "" : " while " + child_->trying();
}

void Validation::abort() {
  on_done_ = [](const std::string&) {};
  if (child_ != nullptr) child_->kill(SIGKILL);
}

}  // namespace drover
