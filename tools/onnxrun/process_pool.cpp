#include "process_pool.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "onnxrun/error.h"

namespace onnxrun::cli {
namespace {

using Clock = std::chrono::steady_clock;

struct Child {
  size_t index = 0;
  pid_t pid = 0;
  int pipe = -1;
  Clock::time_point deadline;
  bool timed_out = false;
  std::string text;
};

[[noreturn]] void run_child(int pipe, size_t index, const std::function<std::string(size_t)>& work) {
  const std::string text = work(index);
  for (size_t written = 0; written < text.size();) {
    const ssize_t count = write(pipe, text.data() + written, text.size() - written);
    if (count <= 0) break;
    written += static_cast<size_t>(count);
  }
  _exit(0);  // neither destructors nor buffers of the parent
}

Child start(size_t index, std::chrono::nanoseconds timeout, const std::function<std::string(size_t)>& work) {
  int ends[2];
  const bool piped = pipe(ends) == 0;
  const pid_t pid = piped ? fork() : -1;
  if (pid < 0) throw Error(ErrorCode::run_failed, "cannot start a process: " + std::string(std::strerror(errno)));
  if (pid == 0) {
    close(ends[0]);
    run_child(ends[1], index, work);
  }
  close(ends[1]);
  return {index, pid, ends[0], Clock::now() + timeout, false, ""};
}

// Reads what the child has written. False when it has closed the pipe.
bool read_some(Child& child) {
  char buffer[4096];
  const ssize_t count = read(child.pipe, buffer, sizeof buffer);
  if (count > 0) child.text.append(buffer, static_cast<size_t>(count));
  return count > 0 || (count < 0 && errno == EINTR);
}

ProcessResult finish(Child& child) {
  close(child.pipe);
  int status = 0;
  while (waitpid(child.pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (child.timed_out) return {ProcessResult::End::timed_out, ""};
  if (WIFSIGNALED(status)) return {ProcessResult::End::crashed, strsignal(WTERMSIG(status))};
  if (WEXITSTATUS(status) != 0) {
    return {ProcessResult::End::crashed, "exit code " + std::to_string(WEXITSTATUS(status))};
  }
  return {ProcessResult::End::returned, child.text};
}

}  // namespace

void run_in_processes(size_t count, size_t jobs, std::chrono::nanoseconds timeout,
                      const std::function<std::string(size_t)>& work,
                      const std::function<void(size_t, const ProcessResult&)>& done) {
  std::vector<Child> children;
  for (size_t next = 0; next < count || !children.empty();) {
    while (next < count && children.size() < std::max<size_t>(jobs, 1))
      children.push_back(start(next++, timeout, work));
    std::vector<pollfd> polls;
    for (const Child& child : children) polls.push_back({child.pipe, POLLIN, 0});
    poll(polls.data(), polls.size(), 100);
    std::vector<Child> running;
    for (size_t i = 0; i < children.size(); ++i) {
      Child& child = children[i];
      const bool open = polls[i].revents == 0 || read_some(child);
      if (open && !child.timed_out && Clock::now() > child.deadline) {
        child.timed_out = true;
        kill(child.pid, SIGKILL);
      }
      if (open) {
        running.push_back(std::move(child));
      } else {
        done(child.index, finish(child));
      }
    }
    children = std::move(running);
  }
}

}  // namespace onnxrun::cli
