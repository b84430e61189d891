#include "master/worker_pool.h"

#include <algorithm>
#include <csignal>

namespace drover {

WorkerPool::WorkerPool(MasterContext& context, Seats& seats, Board& board, int slots,
                       bool with_acceptor, Millis ready_timeout, Owner* owner)
    : context_(context), seats_(seats), board_(board), owner_(owner) {
  Post::Owner* me = this;
  for (int slot = 0; slot < slots; ++slot) {
    workers_.push_back(std::make_unique<Post>(context, Role::kWorker, slot, ready_timeout, me));
  }
  if (with_acceptor)
    acceptor_ = std::make_unique<Post>(context, Role::kAcceptor, 0, ready_timeout, me);
}

std::vector<Post*> WorkerPool::posts() const {
  std::vector<Post*> all;
  for (const auto& post : workers_) all.push_back(post.get());
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
  for (Post* post : posts()) post->close();
  if (acceptor_ != nullptr) {
    for (Child* child : acceptor_->children()) child->drain(deadline, removed_listeners_);
  }
  workers_drain_ = false;
  drain_workers_when_acceptor_is_done();
}

void WorkerPool::drain_workers_when_acceptor_is_done() {
  if (workers_drain_ || (acceptor_ != nullptr && !acceptor_->children().empty())) return;
  workers_drain_ = true;
  for (const auto& post : workers_) {
    for (Child* child : post->children()) child->drain(drain_deadline_, removed_listeners_);
  }
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
  if (was_ours && state_ == State::kDraining) drain_workers_when_acceptor_is_done();
  return was_ours;
}

Result<std::unique_ptr<Child>> WorkerPool::spawn_for(Post& post, Child::Keeper* keeper) {
  return Child::spawn(context_, seats_, owner_->heritage_for(post.role(), post.slot()), keeper);
}

void WorkerPool::on_post_ready(Post& post) {
  if (state_ == State::kServing) {
    let_serve(post);
    return update_steering();
  }
  const std::vector<Post*> all = posts();
  const bool all_ready = std::all_of(all.begin(), all.end(), [](const Post* each) {
    return each->child() != nullptr && each->child()->is_up();
  });
  if (state_ == State::kStarting && all_ready) owner_->on_all_ready();
}

void WorkerPool::on_post_vacated(Post& post, const std::string& why) {
  if (post.role() == Role::kWorker) board_.seat_of_slot[static_cast<std::size_t>(post.slot())] = -1;
  if (state_ == State::kStarting) return owner_->on_start_failed(why);
  update_steering();
}

void WorkerPool::on_logs_reopened(int pid, std::uint64_t serial) {
  owner_->on_logs_reopened(pid, serial);
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
