#include "helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_MS 50     /* how often it is seen whether the helper has ended: what it started may hold its output open */
#define GRACE_MS 500   /* to take its window off the screen */
#define NOBODY_KNOWS -1 /* how it ended: the program that loaded us has seen it first */

struct run {
  pid_t process;
  int output; /* -1: closed */
  bool ended, overflowed;
  int status;
};

static const int ordinary[] = {SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGALRM, SIGTERM, SIGCHLD, SIGTTIN, SIGTTOU};

static int spawn(struct run *run, int output, const char *helper, char *const arguments[]) {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  sigset_t none, defaults;
  sigemptyset(&none);
  sigemptyset(&defaults);
  for (size_t i = 0; i < sizeof ordinary / sizeof *ordinary; i++) sigaddset(&defaults, ordinary[i]);
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  int problem = posix_spawn(&run->process, helper, &files, &attributes, arguments, environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  return problem;
}

static bool start(struct run *run, const char *helper, const char *purpose, int64_t tries) {
  char fewest[8], most[8], left[24] = "";
  int ends[2];
  snprintf(fewest, sizeof fewest, "%d", FEWEST_DIGITS);
  snprintf(most, sizeof most, "%d", MOST_DIGITS);
  if (tries >= 0) snprintf(left, sizeof left, "%lld", (long long)tries);
  char *arguments[] = {(char *)helper, (char *)purpose, fewest, most, left, NULL};
  if (pipe2(ends, O_CLOEXEC) != 0) return false;
  bool good = fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0 && spawn(run, ends[1], helper, arguments) == 0;
  close(ends[1]);
  if (good)
    run->output = ends[0];
  else
    close(ends[0]);
  return good;
}

static void look_for_end(struct run *run, int options) {
  pid_t found;
  if (run->ended) return;
  do found = waitpid(run->process, &run->status, options);
  while (found < 0 && errno == EINTR);
  if (found < 0) run->status = NOBODY_KNOWS;
  run->ended = found != 0;
}

static void stop(struct run *run) {
  if (!run->ended) kill(run->process, SIGTERM);
  for (int waited = 0; !run->ended && waited < GRACE_MS; waited += 10) {
    poll(NULL, 0, 10);
    look_for_end(run, WNOHANG);
  }
  if (!run->ended) kill(run->process, SIGKILL);
  look_for_end(run, 0);
}

static void take(struct run *run, struct digits *digits) {
  while (run->output >= 0 && !run->overflowed) {
    size_t room = sizeof digits->bytes - digits->length;
    ssize_t got = read(run->output, digits->bytes + digits->length, room);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (got > 0) digits->length += (size_t)got;
    run->overflowed = digits->length == sizeof digits->bytes;
    if (got > 0) continue;
    close(run->output);
    run->output = -1;
  }
}

/* What it printed: digits, with an end of the line behind them or not. */
static enum failure judge_digits(struct digits *digits) {
  static const char ends[] = "\n\r";
  for (size_t i = 0; i < 2; i++)
    if (digits->length > 0 && digits->bytes[digits->length - 1] == ends[i]) digits->length--;
  for (size_t i = 0; i < digits->length; i++)
    if (digits->bytes[i] < '0' || digits->bytes[i] > '9') return HELPER_BROKEN;
  return digits->length < FEWEST_DIGITS || digits->length > MOST_DIGITS ? PIN_LENGTH : FINE;
}

static enum failure judge(const struct run *run, struct digits *digits) {
  if (run->overflowed) return judge_digits(digits);
  if (run->status == NOBODY_KNOWS) return digits->length > 0 ? judge_digits(digits) : PIN_CANCELLED;
  if (!WIFEXITED(run->status)) return HELPER_BROKEN;
  if (WEXITSTATUS(run->status) == 1) return PIN_CANCELLED;
  return WEXITSTATUS(run->status) == 0 ? judge_digits(digits) : HELPER_BROKEN;
}

/* FINE: it has said what it has to say. */
static enum failure await_end(struct run *run, struct deadline deadline, int daemon, struct digits *digits) {
  for (;;) {
    look_for_end(run, WNOHANG);
    take(run, digits); /* after that look: what it wrote before its end is in the pipe by now */
    if (run->ended || run->overflowed) return FINE;
    int left = deadline_left_ms(deadline);
    if (left == 0) return PIN_LATE;
    struct pollfd wanted[] = {{.fd = run->output, .events = POLLIN}, {.fd = daemon, .events = POLLIN}};
    poll(wanted, sizeof wanted / sizeof *wanted, left < LOOK_MS ? left : LOOK_MS);
    if (wanted[1].revents != 0) return OVERTAKEN;
  }
}

enum failure helper_ask(const char *helper, const char *purpose, int64_t tries, struct deadline deadline, int daemon,
                        struct digits *digits) {
  struct run run = {.output = -1};
  *digits = (struct digits){0};
  if (!start(&run, helper, purpose, tries)) return HELPER_BROKEN;
  enum failure failure = await_end(&run, deadline, daemon, digits);
  stop(&run);
  if (run.output >= 0) close(run.output);
  return failure == FINE ? judge(&run, digits) : failure;
}
