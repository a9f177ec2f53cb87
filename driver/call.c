#include "call.h"

#include "json_write.h"
#include "link.h"

#include <stdio.h>
#include <string.h>

#define MOST_ARGUMENTS 5

struct request {
  const struct settings *settings;
  const char *function;
  size_t count;
  struct text arguments[MOST_ARGUMENTS]; /* UTF-8 */
  const char *name;                      /* empty: none */
};

static void write_number(struct text *line, int64_t number) {
  char digits[32];
  snprintf(digits, sizeof digits, "%lld", (long long)number);
  text_add_string(line, digits);
}

/* Which reader, where passwords are typed, and by which name: said only where it is known. */
static void write_choices(struct text *line, const struct settings *settings, const char *name) {
  if (*name != '\0') {
    text_add_string(line, ",\"request\":");
    json_write_string(line, name, strlen(name));
  }
  if (*settings->reader != '\0') {
    text_add_string(line, ",\"reader\":");
    json_write_string(line, settings->reader, strlen(settings->reader));
  }
  if (settings->digits > 0) {
    text_add_string(line, ",\"keypad_digits\":");
    write_number(line, settings->digits);
  }
}

static void write_request(struct text *line, int64_t id, const void *context) {
  const struct request *request = context;
  text_add_string(line, "{\"jsonrpc\":\"2.0\",\"id\":");
  write_number(line, id);
  text_add_string(line, ",\"method\":\"driver.call\",\"params\":{\"function\":");
  json_write_string(line, request->function, strlen(request->function));
  text_add_string(line, ",\"args\":[");
  for (size_t i = 0; i < request->count; i++) {
    if (i > 0) text_add_string(line, ",");
    json_write_string(line, request->arguments[i].bytes, request->arguments[i].length);
  }
  text_add_string(line, "]");
  write_choices(line, request->settings, request->name);
  text_add_string(line, "}}\n");
}

static enum failure take_argument(const struct argument *argument, enum charset charset, struct text *into) {
  if (argument->room == 0) {
    write_number(into, argument->number);
    return FINE;
  }
  if (argument->text == NULL) return ARGUMENT;
  size_t length = strnlen(argument->text, argument->room);
  if (length == argument->room) return ARGUMENT; /* no end within its size: what follows may be anybody's memory */
  return charset_read(charset, argument->text, length, into) ? FINE : CHARACTERS;
}

static enum failure ask(const struct call *call, const struct settings *settings, struct answer *answer) {
  struct deadline deadline = deadline_in(settings->machine_s + call->typed * settings->person_s);
  struct prompts prompts = {.line = {.fd = -1}};
  bool helped = *settings->helper != '\0' && call->typed > 0;
  enum failure failure = helped && !prompts_name(&prompts) ? HELPER_BROKEN : FINE;
  struct request request = {
      .settings = settings, .function = call->function, .count = call->count, .name = prompts.request};
  for (size_t i = 0; failure == FINE && i < call->count; i++)
    failure = take_argument(&call->arguments[i], settings->charset, &request.arguments[i]);
  if (failure == FINE)
    failure = link_ask(settings, deadline, write_request, &request, helped ? &prompts : NULL, answer);
  for (size_t i = 0; i < call->count; i++) text_clear(&request.arguments[i]);
  /* to the daemon all of these were a holder who cancels: it is known better here */
  bool cancelled = failure == FINE && answer->kind == ANSWER_RESULT && answer->code == failure_code(PIN_CANCELLED);
  return cancelled && prompts.outcome != FINE ? prompts.outcome : failure;
}

static long give_message(int code, const char *text, size_t length, enum charset charset,
                         const struct buffer *buffers, size_t count) {
  for (size_t i = 0; i + 1 < count; i++) *buffers[i].bytes = '\0';
  charset_write(charset, text, length, buffers[count - 1].bytes, buffers[count - 1].room);
  return code;
}

static long give_failure(enum failure failure, enum charset charset, const struct buffer *buffers, size_t count) {
  const char *text = failure_text(failure);
  return give_message(failure_code(failure), text, strlen(text), charset, buffers, count);
}

static bool give_parts(const char *at, size_t length, enum charset charset, const struct buffer *buffers,
                       size_t count) {
  const char *end = at + length;
  bool whole = true;
  for (size_t i = 0; i < count; i++) {
    const char *bar = count > 1 && at < end ? memchr(at, '|', (size_t)(end - at)) : NULL;
    const char *stop = bar != NULL ? bar : end;
    whole = charset_write(charset, at, (size_t)(stop - at), buffers[i].bytes, buffers[i].room) && whole;
    at = bar != NULL ? bar + 1 : end;
  }
  return whole;
}

static long give_answer(const struct answer *answer, enum charset charset, const struct buffer *buffers,
                        size_t count) {
  size_t length = answer->text.length;
  const char *text = length > 0 ? answer->text.bytes : "";
  if (answer->kind == ANSWER_REFUSED && length == 0) return give_failure(REFUSED, charset, buffers, count);
  int code = answer->kind == ANSWER_REFUSED ? failure_code(REFUSED) : answer->code;
  if (code < 0) return give_message(code, text, length, charset, buffers, count);
  if (give_parts(text, length, charset, buffers, count)) return code;
  for (size_t i = 0; i < count; i++) explicit_bzero(buffers[i].bytes, buffers[i].room); /* half an answer is none */
  return give_failure(ANSWER_TOO_LONG, charset, buffers, count);
}

long sscard_call(const struct call *call, const struct buffer *buffers, size_t count) {
  const struct settings *settings = settings_get();
  struct answer answer = {0};
  for (size_t i = 0; i < count; i++)
    if (buffers[i].bytes == NULL) return failure_code(ARGUMENT);
  enum failure failure = settings->good ? ask(call, settings, &answer) : SETTING;
  long code = failure == FINE ? give_answer(&answer, settings->charset, buffers, count)
                              : give_failure(failure, settings->charset, buffers, count);
  answer_clear(&answer);
  return code;
}
