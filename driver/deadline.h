/* One moment by which a whole call is over, however many waits it has. */
#ifndef SSCARD_DEADLINE_H
#define SSCARD_DEADLINE_H

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct deadline {
  int64_t at_ms; /* of the clock that nobody sets */
};

struct deadline deadline_in(unsigned seconds);
struct deadline deadline_earlier(struct deadline one, struct deadline other);
int deadline_left_ms(struct deadline deadline);                   /* 0 where it has passed */
bool deadline_poll(struct deadline deadline, int fd, short events); /* false at the deadline */
bool deadline_poll_any(struct deadline deadline, struct pollfd *wanted, size_t count);
bool deadline_lock(struct deadline deadline, pthread_mutex_t *mutex);
void deadline_pause(struct deadline deadline, int ms);

#endif
