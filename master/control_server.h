// The master's end of the control socket (common/control.h). Mode 0600. An answer may come much
// later: that is what makes `-s reload` tell the truth.
#pragma once

#include <event2/bufferevent.h>

#include <functional>
#include <list>
#include <memory>
#include <string>

#include "common/event.h"
#include "common/log.h"
#include "common/result.h"
#include "common/unique_fd.h"

namespace drover {

// Answers whoever asked: exit status, text. Called at most once; may outlive the asker.
using Reply = std::function<void(int status, const std::string& text)>;

class ControlServer {
 public:
  using Handler = std::function<void(const std::string& command, Reply reply)>;

  // An error names the daemon that has the path already.
  static Result<std::unique_ptr<ControlServer>> listen(event_base* base, const std::string& path,
                                                       Log* log, Handler handler);
  // On the listening socket of a predecessor, who answers until take_over().
  static std::unique_ptr<ControlServer> inherit(event_base* base, UniqueFd fd,
                                                const std::string& path, Log* log, Handler handler);
  void take_over();
  // A successor answers now; who has asked already is still answered.
  void let_go();

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] int fd() const { return fd_.get(); }

  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;
  // Sends what is pending (bounded), closes and removes the path.
  ~ControlServer();

 private:
  struct Session;
  ControlServer(event_base* base, UniqueFd fd, std::string path, Log* log, Handler handler);
  void on_readable();
  void rest();
  void on_rested() { readable_.start(base_, fd_.get(), EV_READ, this); }
  void on_line(Session& session);
  void finish(const std::weak_ptr<Session>& asker, int status, const std::string& text);
  void forget(Session* session);

  event_base* base_;
  UniqueFd fd_;
  std::string path_;
  bool is_ours_ = false;
  Log* log_;
  Handler handler_;
  std::list<std::shared_ptr<Session>> sessions_;
  Event<&ControlServer::on_readable> readable_;
  Timer<&ControlServer::on_rested> pause_;
};

}  // namespace drover
