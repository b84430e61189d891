// Making one listening socket: bind, options, listen. Binding is apart from listening, because a
// socket that listens takes connections: a generation that is being built must not, until it is
// sure to serve them.
#pragma once

#include "common/result.h"
#include "common/settings.h"
#include "common/unique_fd.h"

namespace drover {

// Bound, options set, not listening. `joins_group`: another socket of ours has the address already.
// The first of a group is bound without SO_REUSEPORT, which is set afterwards: so a stranger of our
// own uid on the same address (a second daemon) is an error and not a silent partner.
Result<UniqueFd> bind_socket(const ListenSettings& settings, bool joins_group);

// Options that accepted sockets inherit (socket(7), tcp(7)) and those of the listener; may be
// repeated while it listens, with other settings. What the settings leave to the kernel is as on a
// new socket afterwards.
Status apply_listen_options(int fd, const ListenSettings& settings);

// Owner and mode of a unix socket's file.
Status apply_file_options(const ListenSettings& settings);

// Begins to listen, or changes the backlog.
Status start_listening(int fd, const ListenSettings& settings);

// Who has the address now, for messages: "pid 123 (nginx)", or empty when that cannot be told.
[[nodiscard]] std::string holder_of(const Address& address);

}  // namespace drover
