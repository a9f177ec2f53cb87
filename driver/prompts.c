#include "prompts.h"

#include "asked.h"
#include "helper.h"
#include "json_write.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#define NEW_PIN "new_pin"

bool prompts_name(struct prompts *prompts) {
  unsigned char random[(sizeof prompts->request - 1) / 2];
  if (getrandom(random, sizeof random, 0) != sizeof random) return false;
  for (size_t i = 0; i < sizeof random; i++) snprintf(prompts->request + 2 * i, 3, "%02x", random[i]);
  return true;
}

static void begin(struct text *message, int64_t id, const char *method) {
  char number[32];
  snprintf(number, sizeof number, "%lld", (long long)id);
  text_add_string(message, "{\"jsonrpc\":\"2.0\",\"id\":");
  text_add_string(message, number);
  text_add_string(message, ",\"method\":\"");
  text_add_string(message, method);
  text_add_string(message, "\",\"params\":{");
}

static enum failure say(struct prompts *prompts, struct deadline deadline, struct text *message) {
  text_add_string(message, "}}\n");
  enum failure failure = line_send(&prompts->line, deadline, message);
  text_clear(message);
  return failure;
}

static enum failure failure_of(enum reply reply) {
  if (reply == REPLY_RIGHTS_MISSING) return NO_RIGHT;
  return reply == REPLY_GOOD ? FINE : REFUSED;
}

/* Asks for something before the call, and waits for the answer. */
static enum failure arrange(struct prompts *prompts, struct deadline deadline, const char *method, const char *params) {
  struct text message = {0};
  begin(&message, ++prompts->last_id, method);
  text_add_string(&message, params);
  enum failure failure = say(prompts, deadline, &message);
  while (failure == FINE) {
    size_t length = line_length(&prompts->line);
    if (length > 0) {
      enum reply reply = reply_read(prompts->line.arrived.bytes, length, prompts->last_id);
      line_drop(&prompts->line, length);
      if (reply != REPLY_ELSEWHERE) return failure_of(reply);
      if (deadline_left_ms(deadline) == 0) failure = LATE;
    } else {
      failure = deadline_poll(deadline, prompts->line.fd, POLLIN) ? line_receive(&prompts->line) : LATE;
    }
  }
  return failure;
}

enum failure prompts_open(struct prompts *prompts, const struct settings *settings, struct deadline deadline) {
  if (prompts == NULL) return FINE;
  prompts->settings = settings;
  if (!line_dial(&prompts->line, settings, deadline)) return DAEMON_AWAY;
  enum failure failure = arrange(prompts, deadline, "session.hello", "\"client\":\"libsscard\",\"api\":1");
  if (failure == FINE)
    failure = arrange(prompts, deadline, "events.subscribe", "\"types\":[\"prompt.opened\"],\"after\":\"now\"");
  return failure == CONNECTION_LOST ? DAEMON_AWAY : failure; /* nothing has been asked of it yet */
}

int prompts_fd(const struct prompts *prompts) { return prompts == NULL ? -1 : prompts->line.fd; }

void prompts_close(struct prompts *prompts) {
  if (prompts == NULL || prompts->line.fd < 0) return;
  shutdown(prompts->line.fd, SHUT_RDWR); /* also where a child of ours has it too */
  line_hang_up(&prompts->line);
}

static enum failure ask_once(struct prompts *prompts, const char *purpose, int64_t tries, struct deadline deadline,
                             int daemon, struct digits *digits) {
  struct deadline of_person = deadline_earlier(deadline, deadline_in(prompts->settings->person_s));
  return helper_ask(prompts->settings->helper, purpose, tries, of_person, daemon, digits);
}

/* A new password is typed twice. */
static enum failure ask(struct prompts *prompts, const struct asked *asked, struct deadline deadline, int daemon,
                        struct digits *digits) {
  char purpose[160];
  struct digits second;
  snprintf(purpose, sizeof purpose, "%.*s", (int)asked->purpose.length, asked->purpose.bytes);
  enum failure failure = ask_once(prompts, purpose, asked->tries, deadline, daemon, digits);
  if (failure != FINE || strcmp(purpose, NEW_PIN) != 0) return failure;
  failure = ask_once(prompts, NEW_PIN "_again", asked->tries, deadline, daemon, &second);
  if (failure == FINE &&
      (second.length != digits->length || memcmp(second.bytes, digits->bytes, second.length) != 0))
    failure = PINS_DIFFER;
  explicit_bzero(&second, sizeof second);
  return failure;
}

static void answer(struct prompts *prompts, const struct asked *asked, struct deadline deadline, int daemon) {
  struct text message = {0};
  struct digits digits;
  enum failure failure = ask(prompts, asked, deadline, daemon, &digits);
  begin(&message, ++prompts->last_id, "prompt.answer");
  text_add_string(&message, "\"prompt\":");
  json_write_string(&message, asked->prompt.bytes, asked->prompt.length);
  if (failure == FINE) {
    text_add_string(&message, ",\"pin\":");
    json_write_string(&message, digits.bytes, digits.length);
  } else {
    text_add_string(&message, ",\"cancel\":true");
    prompts->outcome = failure;
  }
  explicit_bzero(&digits, sizeof digits);
  if (failure == OVERTAKEN)
    text_clear(&message);
  else if (say(prompts, deadline, &message) != FINE)
    line_hang_up(&prompts->line); /* the call says what has become of it */
}

void prompts_serve(struct prompts *prompts, struct deadline deadline, int daemon) {
  struct asked asked;
  size_t length;
  if (line_receive(&prompts->line) != FINE) line_hang_up(&prompts->line);
  while (prompts->line.fd >= 0 && (length = line_length(&prompts->line)) > 0) {
    bool ours = asked_read(prompts->line.arrived.bytes, length, prompts->request, &asked);
    line_drop(&prompts->line, length);
    if (!ours) continue;
    answer(prompts, &asked, deadline, daemon);
    asked_clear(&asked);
  }
}
