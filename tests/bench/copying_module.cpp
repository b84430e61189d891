// What the test module `files` does by sendfile, by reading and writing: "NAME\n" is answered by
// "LENGTH\n" and the bytes. So the bench compares the two ways of the same work.
#include <filesystem>
#include <fstream>
#include <memory>
#include <vector>

#include "modules/sdk/module.hpp"

namespace {

class Copying {
 public:
  struct State {
    std::unique_ptr<std::ifstream> file;
  };

  explicit Copying(drover::Host host) : host_(host), block_(std::size_t{64} * 1024) {}

  std::size_t on_data(drover_conn conn, State& state, std::string_view bytes) {
    const std::size_t end = bytes.find('\n');
    if (end == std::string_view::npos) return 0;
    const std::string name(bytes.substr(0, end));
    state.file = std::make_unique<std::ifstream>(name, std::ios::binary);
    host_.write(conn, std::to_string(std::filesystem::file_size(name)) + "\n");
    copy(conn, state);
    return end + 1;
  }
  void on_writable(drover_conn conn, State& state) { copy(conn, state); }

 private:
  void copy(drover_conn conn, State& state) {
    while (*state.file && host_.pending_output(conn) <= DROVER_HIGH_WATER) {
      state.file->read(block_.data(), static_cast<std::streamsize>(block_.size()));
      host_.write(conn, {block_.data(), static_cast<std::size_t>(state.file->gcount())});
    }
  }

  drover::Host host_;
  std::vector<char> block_;
};

}  // namespace

DROVER_MODULE(Copying, "copying", "1.0");
