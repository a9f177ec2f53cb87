#include "link.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct connection {
  int fd; /* -1: none */
  int64_t last_id;
  struct text arrived;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct connection the_connection = {.fd = -1};

static void hang_up(struct connection *connection) {
  if (connection->fd >= 0) close(connection->fd);
  connection->fd = -1;
  text_clear(&connection->arrived);
}

/* The child of a fork has a connection of its own: two processes on one would read each other's answers. What another
 * thread was doing with it in the parent may be half done here, so it is forgotten and not tidied. */
static void forget_in_child(void) {
  pthread_mutex_init(&mutex, NULL);
  if (the_connection.fd >= 0) close(the_connection.fd);
  the_connection = (struct connection){.fd = -1};
}

__attribute__((constructor)) static void loaded(void) { pthread_atfork(NULL, NULL, forget_in_child); }

__attribute__((destructor)) static void unloaded(void) {
  if (pthread_mutex_trylock(&mutex) != 0) return;
  hang_up(&the_connection);
  pthread_mutex_unlock(&mutex);
}

static bool has_ended(int fd) {
  char byte;
  ssize_t got = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

static int dial(const struct settings *settings, struct deadline deadline) {
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  while (connect(fd, (const struct sockaddr *)&settings->socket, sizeof settings->socket) != 0) {
    if (errno == EINTR) continue;
    if (errno != EAGAIN || deadline_left_ms(deadline) == 0) { /* EAGAIN: many are waiting to be let in */
      close(fd);
      return -1;
    }
    deadline_pause(deadline, 10);
  }
  return fd;
}

static bool be_connected(struct connection *connection, const struct settings *settings, struct deadline deadline) {
  if (connection->fd >= 0 && has_ended(connection->fd)) hang_up(connection); /* the daemon was started anew */
  if (connection->fd < 0) connection->fd = dial(settings, deadline);
  return connection->fd >= 0;
}

static enum failure send_line(int fd, struct deadline deadline, const struct text *line) {
  for (size_t sent = 0; sent < line->length;) {
    if (!deadline_poll(deadline, fd, POLLOUT)) return LATE;
    ssize_t now = send(fd, line->bytes + sent, line->length - sent, MSG_NOSIGNAL);
    if (now > 0)
      sent += (size_t)now;
    else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
      return CONNECTION_LOST;
  }
  return FINE;
}

static enum failure receive(struct connection *connection, struct deadline deadline) {
  char chunk[16384];
  if (!deadline_poll(deadline, connection->fd, POLLIN)) return LATE;
  ssize_t got = recv(connection->fd, chunk, sizeof chunk, 0);
  if (got == 0) return CONNECTION_LOST;
  if (got < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? FINE : CONNECTION_LOST;
  text_add(&connection->arrived, chunk, (size_t)got);
  explicit_bzero(chunk, (size_t)got);
  return connection->arrived.failed ? ANSWER_UNREADABLE : FINE;
}

/* Reads until a line has come; how long it is, with its end. */
static enum failure await_line(struct connection *connection, struct deadline deadline, size_t *length) {
  for (size_t looked = 0;;) {
    struct text *arrived = &connection->arrived;
    const char *end =
        looked < arrived->length ? memchr(arrived->bytes + looked, '\n', arrived->length - looked) : NULL;
    if (end != NULL) {
      *length = (size_t)(end - arrived->bytes) + 1;
      return FINE;
    }
    looked = arrived->length;
    enum failure failure = receive(connection, deadline);
    if (failure != FINE) return failure;
  }
}

static enum failure await_answer(struct connection *connection, struct deadline deadline, struct answer *answer) {
  for (;;) {
    size_t length;
    enum failure failure = await_line(connection, deadline, &length);
    if (failure != FINE) return failure;
    *answer = answer_read(connection->arrived.bytes, length, connection->last_id);
    text_drop(&connection->arrived, length);
    if (answer->kind == ANSWER_BROKEN) return ANSWER_UNREADABLE;
    if (answer->kind != ANSWER_ELSEWHERE) return FINE;
    if (deadline_left_ms(deadline) == 0) return LATE; /* however many lines for others come */
  }
}

static enum failure exchange(struct connection *connection, struct deadline deadline, const struct text *line,
                             struct answer *answer) {
  if (line->failed) return MEMORY;
  enum failure failure = send_line(connection->fd, deadline, line);
  if (failure == FINE) failure = await_answer(connection, deadline, answer);
  if (failure != FINE) hang_up(connection); /* a late answer must not be taken for the next one's */
  return failure;
}

enum failure link_ask(const struct settings *settings, struct deadline deadline,
                      void (*write)(struct text *line, int64_t id, const void *context), const void *context,
                      struct answer *answer) {
  struct connection *connection = &the_connection;
  struct text line = {0};
  enum failure failure = DAEMON_AWAY;
  if (!deadline_lock(deadline, &mutex)) return LATE;
  if (be_connected(connection, settings, deadline)) {
    write(&line, ++connection->last_id, context);
    failure = exchange(connection, deadline, &line, answer);
  }
  pthread_mutex_unlock(&mutex);
  text_clear(&line);
  return failure;
}
