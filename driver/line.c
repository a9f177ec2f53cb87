#include "line.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool for_now(void) { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

bool line_has_ended(const struct line *line) {
  char byte;
  ssize_t got = recv(line->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got == 0 || (got < 0 && !for_now());
}

void line_hang_up(struct line *line) {
  if (line->fd >= 0) close(line->fd);
  text_clear(&line->arrived);
  *line = (struct line){.fd = -1};
}

bool line_dial(struct line *line, const struct settings *settings, struct deadline deadline) {
  *line = (struct line){.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (line->fd < 0) return false;
  while (connect(line->fd, (const struct sockaddr *)&settings->socket, sizeof settings->socket) != 0) {
    if (errno == EINTR) continue;
    if (errno != EAGAIN || deadline_left_ms(deadline) == 0) { /* EAGAIN: many are waiting to be let in */
      line_hang_up(line);
      return false;
    }
    deadline_pause(deadline, 10);
  }
  return true;
}

enum failure line_send(const struct line *line, struct deadline deadline, const struct text *message) {
  if (message->failed) return MEMORY;
  for (size_t sent = 0; sent < message->length;) {
    if (!deadline_poll(deadline, line->fd, POLLOUT)) return LATE;
    ssize_t now = send(line->fd, message->bytes + sent, message->length - sent, MSG_NOSIGNAL);
    if (now > 0)
      sent += (size_t)now;
    else if (!for_now())
      return CONNECTION_LOST;
  }
  return FINE;
}

enum failure line_receive(struct line *line) {
  char chunk[16384];
  ssize_t got = recv(line->fd, chunk, sizeof chunk, 0);
  if (got == 0) return CONNECTION_LOST;
  if (got < 0) return for_now() ? FINE : CONNECTION_LOST;
  text_add(&line->arrived, chunk, (size_t)got);
  explicit_bzero(chunk, (size_t)got);
  return line->arrived.failed ? ANSWER_UNREADABLE : FINE;
}

size_t line_length(struct line *line) {
  const struct text *arrived = &line->arrived;
  const char *end =
      line->looked < arrived->length ? memchr(arrived->bytes + line->looked, '\n', arrived->length - line->looked) : NULL;
  line->looked = end != NULL ? (size_t)(end - arrived->bytes) : arrived->length;
  return end != NULL ? line->looked + 1 : 0;
}

void line_drop(struct line *line, size_t length) {
  text_drop(&line->arrived, length);
  line->looked = 0;
}
