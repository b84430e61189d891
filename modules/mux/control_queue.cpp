#include "modules/mux/control_queue.h"

#include "modules/mux/limits.h"
#include "modules/mux/sent_prefix.h"

namespace mux {

void ControlQueue::add(std::string_view frame) {
  keep(frame);
  set_due();
}

void ControlQueue::add_notice(std::string_view frame, Time now) {
  keep(frame);
  if (is_due_) return;
  if (++notices_ == kMostNotices) return set_due();
  if (!due_at_) due_at_ = now + kNoticeDelay;
}

void ControlQueue::wake(Time now) {
  if (due_at_ && *due_at_ <= now) set_due();
}

void ControlQueue::append_to(std::string& out, std::size_t room) {
  while (begin_ < frames_.size() && out.size() < room) {
    const auto length = static_cast<unsigned char>(frames_[begin_]);
    out.append(frames_, begin_ + 1, length);
    begin_ += 1U + length;
  }
  drop_sent_prefix(frames_, begin_);
  forget_notices();
  is_due_ = !is_empty();
}

void ControlQueue::keep(std::string_view frame) {
  frames_ += static_cast<char>(frame.size());
  frames_ += frame;
}

void ControlQueue::set_due() {
  is_due_ = true;
  forget_notices();
}

void ControlQueue::forget_notices() {
  notices_ = 0;
  due_at_.reset();
}

}  // namespace mux
