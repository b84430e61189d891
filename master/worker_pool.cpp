#include "master/worker_pool.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <utility>

namespace drover {

WorkerPool::WorkerPool(MasterContext& context, Seats& seats, Board& board, int slots,
                       bool with_acceptor, Millis ready_timeout, Owner* owner)
    : context_(context),
      seats_(seats),
      board_(board),
      ready_timeout_(ready_timeout),
      owner_(owner) {
  for (int slot = 0; slot < slots; ++slot) {
    workers_.push_back(make_post({Role::kWorker, slot, fmt::format("worker {}", slot)}));
  }
  if (with_acceptor) acceptor_ = make_post({Role::kAcceptor, 0, "acceptor"});
}

void WorkerPool::add_helpers(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    helpers_.push_back(
        make_post({Role::kHelper, static_cast<int>(helpers_.size()), "helper " + name}));
  }
}

std::unique_ptr<Post> WorkerPool::make_post(Post::Place place) {
  Post::Owner* me = this;
  return std::make_unique<Post>(context_, std::move(place), ready_timeout_, me);
}

std::vector<Post*> WorkerPool::posts() const {
  std::vector<Post*> all;
  for (const auto& post : workers_) all.push_back(post.get());
  for (const auto& post : helpers_) all.push_back(post.get());
  if (acceptor_ != nullptr) all.push_back(acceptor_.get());
  return all;
}

std::vector<Child*> WorkerPool::children() const {
  std::vector<Child*> all;
  for (const Post* post : posts()) {
    for (Child* child : post->children()) all.push_back(child);
  }
  return all;
}

Status WorkerPool::start() {
  for (Post* post : posts()) DROVER_TRY_DO(post->fill());
  return Done{};
}

void WorkerPool::serve() {
  state_ = State::kServing;
  for (Post* post : posts()) let_serve(*post);
  update_steering();
}

void WorkerPool::let_serve(Post& post) {
  Child* child = post.child();
  if (child == nullptr || child->state() != Child::State::kReady) return;
  if (post.role() == Role::kWorker) {
    board_.seat_of_slot[static_cast<std::size_t>(post.slot())] = child->seat().index();
  }
  child->serve();
}

void WorkerPool::drain(Millis deadline, const std::vector<std::uint32_t>& removed_listeners) {
  state_ = State::kDraining;
  drain_deadline_ = deadline;
  removed_listeners_.insert(removed_listeners_.end(), removed_listeners.begin(),
                            removed_listeners.end());
  for (Post* post : posts()) {
    if (post->role() != Role::kHelper) post->close();
  }
  told_ = 0;
  drain_next();
}

std::vector<std::vector<Post*>> WorkerPool::drain_order() const {
  std::vector<std::vector<Post*>> order(3);
  if (acceptor_ != nullptr) order[0].push_back(acceptor_.get());
  for (const auto& post : workers_) order[1].push_back(post.get());
  for (const auto& post : helpers_) order[2].push_back(post.get());
  return order;
}

// Each group is told when nobody is left of the one before it.
void WorkerPool::drain_next() {
  const auto is_empty = [](const Post* post) { return post->children().empty(); };
  const std::vector<std::vector<Post*>> order = drain_order();
  while (told_ < order.size()) {
    if (told_ > 0 && !std::ranges::all_of(order[told_ - 1], is_empty)) return;
    for (Post* post : order[told_]) post->drain(drain_deadline_, removed_listeners_);
    if (++told_ == order.size()) owner_->on_helpers_told();
  }
}

void WorkerPool::forgive() {
  for (const auto& post : workers_) post->forgive();
}

void WorkerPool::abort() {
  state_ = State::kDraining;
  for (Post* post : posts()) post->close();
  for (const Child* child : children()) child->kill(SIGKILL);
}

bool WorkerPool::on_exit(pid_t pid, int wait_status) {
  const std::vector<Post*> all = posts();
  const bool was_ours = std::any_of(all.begin(), all.end(),
                                    [&](Post* post) { return post->on_exit(pid, wait_status); });
  if (was_ours && state_ == State::kDraining) drain_next();
  return was_ours;
}

Result<std::unique_ptr<Child>> WorkerPool::spawn_for(Post& post, Child::Keeper* keeper) {
  return Child::spawn(context_, seats_, owner_->heritage_for(post.role(), post.slot()), keeper);
}

void WorkerPool::on_post_ready(Post& post) {
  const bool serves =
      state_ == State::kServing || (state_ == State::kDraining && post.role() == Role::kHelper);
  if (serves) {
    let_serve(post);
    return update_steering();
  }
  if (state_ == State::kStarting && who_is_not_up().empty()) owner_->on_all_ready();
}

std::string WorkerPool::who_is_not_up() const {
  const std::vector<Post*> all = posts();
  const auto late = std::ranges::find_if(
      all, [](const Post* post) { return post->child() == nullptr || !post->child()->is_up(); });
  return late == all.end() ? "" : (*late)->name();
}

void WorkerPool::on_post_vacated(Post& post, const std::string& why) {
  if (post.role() == Role::kWorker) board_.seat_of_slot[static_cast<std::size_t>(post.slot())] = -1;
  if (state_ == State::kStarting) return owner_->on_start_failed(why);
  update_steering();
}

void WorkerPool::on_logs_reopened(int pid, std::uint64_t serial) {
  owner_->on_logs_reopened(pid, serial);
}

void WorkerPool::on_child_lost(const Child& child, int wait_status) {
  owner_->on_child_lost(child, wait_status);
}

bool WorkerPool::is_silent(const Child& child) const {
  return std::find(silent_.begin(), silent_.end(), child.pid()) != silent_.end();
}

void WorkerPool::set_silent(const std::vector<pid_t>& silent) {
  silent_ = silent;
  if (state_ != State::kServing) return;
  update_steering();
  if (acceptor_ == nullptr || !acceptor_->is_serving() || !is_silent(*acceptor_->child())) return;
  context_.log->warning("acceptor silent: pid={}, starting a second one",
                        acceptor_->child()->pid());
  acceptor_->replace(monotonic_now());
}

void WorkerPool::update_steering() {
  if (state_ != State::kServing) return;
  bool has_changed = false;
  for (const auto& post : workers_) {
    const bool is_avoided = !post->is_serving() || is_silent(*post->child());
    if (board_.is_steered_around(post->slot()) == is_avoided) continue;
    board_.set_steered_around(post->slot(), is_avoided);
    has_changed = true;
  }
  if (has_changed) owner_->on_steering_changed();
}

}  // namespace drover
