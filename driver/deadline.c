#include "deadline.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <time.h>

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct deadline deadline_in(unsigned seconds) { return (struct deadline){now_ms() + (int64_t)seconds * 1000}; }

int deadline_left_ms(struct deadline deadline) {
  int64_t left = deadline.at_ms - now_ms();
  return left <= 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

struct deadline deadline_earlier(struct deadline one, struct deadline other) {
  return one.at_ms < other.at_ms ? one : other;
}

bool deadline_poll(struct deadline deadline, int fd, short events) {
  struct pollfd wanted = {.fd = fd, .events = events};
  return deadline_poll_any(deadline, &wanted, 1);
}

bool deadline_poll_any(struct deadline deadline, struct pollfd *wanted, size_t count) {
  for (;;) {
    int ready = poll(wanted, count, deadline_left_ms(deadline));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

bool deadline_lock(struct deadline deadline, pthread_mutex_t *mutex) {
  /* By the clock of the day: the terminals of 2020 (glibc 2.28) have no lock by the other one. Whoever sets the clock
   * meanwhile makes this wait longer or shorter, but the call goes on with what is left by the other clock. */
  int left = deadline_left_ms(deadline);
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += left / 1000;
  until.tv_nsec += (long)(left % 1000) * 1000000;
  until.tv_sec += until.tv_nsec / 1000000000;
  until.tv_nsec %= 1000000000;
  return pthread_mutex_timedlock(mutex, &until) == 0;
}

void deadline_pause(struct deadline deadline, int ms) {
  int left = deadline_left_ms(deadline);
  poll(NULL, 0, left < ms ? left : ms);
}
