#include "link.h"

#include "line.h"

#include <poll.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct line the_line = {.fd = -1};
static int64_t last_id;

/* The child of a fork has a connection of its own: two processes on one would read each other's answers. What another
 * thread was doing with it in the parent may be half done here, so it is forgotten and not tidied. */
static void forget_in_child(void) {
  pthread_mutex_init(&mutex, NULL);
  if (the_line.fd >= 0) close(the_line.fd);
  the_line = (struct line){.fd = -1};
}

__attribute__((constructor)) static void loaded(void) { pthread_atfork(NULL, NULL, forget_in_child); }

__attribute__((destructor)) static void unloaded(void) {
  if (pthread_mutex_trylock(&mutex) != 0) return;
  line_hang_up(&the_line);
  pthread_mutex_unlock(&mutex);
}

static bool be_connected(struct line *line, const struct settings *settings, struct deadline deadline) {
  if (line->fd >= 0 && line_has_ended(line)) line_hang_up(line); /* the daemon was started anew */
  return line->fd >= 0 || line_dial(line, settings, deadline);
}

/* Waits for more from the daemon, and has passwords asked for meanwhile. */
static enum failure await_more(struct line *line, struct deadline deadline, struct prompts *prompts) {
  struct pollfd wanted[] = {{.fd = line->fd, .events = POLLIN}, {.fd = prompts_fd(prompts), .events = POLLIN}};
  if (!deadline_poll_any(deadline, wanted, sizeof wanted / sizeof *wanted)) return LATE;
  if (wanted[0].revents != 0) return line_receive(line);
  prompts_serve(prompts, deadline, line->fd);
  return FINE;
}

static enum failure await_answer(struct line *line, struct deadline deadline, struct prompts *prompts,
                                 struct answer *answer) {
  for (;;) {
    size_t length = line_length(line);
    if (length == 0) {
      enum failure failure = await_more(line, deadline, prompts);
      if (failure != FINE) return failure;
      continue;
    }
    *answer = answer_read(line->arrived.bytes, length, last_id);
    line_drop(line, length);
    if (answer->kind == ANSWER_BROKEN) return ANSWER_UNREADABLE;
    if (answer->kind != ANSWER_ELSEWHERE) return FINE;
    if (deadline_left_ms(deadline) == 0) return LATE; /* however many lines for others come */
  }
}

static enum failure exchange(struct line *line, struct deadline deadline, const struct text *message,
                             struct prompts *prompts, struct answer *answer) {
  enum failure failure = line_send(line, deadline, message);
  if (failure == FINE) failure = await_answer(line, deadline, prompts, answer);
  if (failure != FINE && failure != MEMORY) line_hang_up(line); /* a late answer must not be taken for the next one's */
  return failure;
}

enum failure link_ask(const struct settings *settings, struct deadline deadline,
                      void (*write)(struct text *line, int64_t id, const void *context), const void *context,
                      struct prompts *prompts, struct answer *answer) {
  struct text message = {0};
  enum failure failure = DAEMON_AWAY;
  if (!deadline_lock(deadline, &mutex)) return LATE;
  if (be_connected(&the_line, settings, deadline)) failure = prompts_open(prompts, settings, deadline);
  if (failure == FINE) {
    write(&message, ++last_id, context);
    failure = exchange(&the_line, deadline, &message, prompts, answer);
  }
  prompts_close(prompts);
  pthread_mutex_unlock(&mutex);
  text_clear(&message);
  return failure;
}
