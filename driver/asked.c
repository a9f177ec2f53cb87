#include "asked.h"

#include "json_read.h"

#include <string.h>

#define OPENED "org.cardd.prompt.opened.v1"
#define LONGEST_NAME 128

struct told {
  int64_t id;
  bool has_id, has_result, has_rights, may_watch, may_answer;
};

static bool right(struct json *json, void *context) {
  struct told *told = context;
  struct text name = {0};
  bool good = json_string(json, &name);
  told->may_watch = told->may_watch || json_named(&name, "observe");
  told->may_answer = told->may_answer || json_named(&name, "pin");
  text_clear(&name);
  return good;
}

static bool result_member(struct json *json, const struct text *name, void *context) {
  struct told *told = context;
  if (!json_named(name, "rights")) return json_skip(json);
  told->has_rights = true;
  return json_array(json, right, context);
}

static bool reply_member(struct json *json, const struct text *name, void *context) {
  struct told *told = context;
  if (json_named(name, "id")) {
    struct json number = *json;
    told->has_id = json_integer(&number, &told->id);
    return json_skip(json);
  }
  if (!json_named(name, "result") || !json_is_object(json)) return json_skip(json);
  told->has_result = true;
  return json_object(json, result_member, context);
}

enum reply reply_read(const char *line, size_t length, int64_t id) {
  struct told told = {0};
  struct json json = json_of(line, length);
  if (!json_object(&json, reply_member, &told) || !json_ended(&json)) return REPLY_ELSEWHERE;
  if (!told.has_id || told.id != id) return REPLY_ELSEWHERE;
  if (!told.has_result) return REPLY_REFUSED;
  return told.has_rights && !(told.may_watch && told.may_answer) ? REPLY_RIGHTS_MISSING : REPLY_GOOD;
}

struct reading {
  struct asked *asked;
  struct text type, request;
};

static bool string_or_skip(struct json *json, struct text *into) {
  struct json string = *json;
  text_clear(into);
  if (!json_string(&string, into)) {
    text_clear(into);
    return json_skip(json);
  }
  *json = string;
  return true;
}

static bool data_member(struct json *json, const struct text *name, void *context) {
  struct reading *reading = context;
  if (json_named(name, "prompt")) return string_or_skip(json, &reading->asked->prompt);
  if (json_named(name, "purpose")) return string_or_skip(json, &reading->asked->purpose);
  if (json_named(name, "request")) return string_or_skip(json, &reading->request);
  if (json_named(name, "tries_left")) {
    struct json number = *json;
    if (!json_integer(&number, &reading->asked->tries)) reading->asked->tries = -1;
  }
  return json_skip(json);
}

static bool event_member(struct json *json, const struct text *name, void *context) {
  struct reading *reading = context;
  if (json_named(name, "type")) return string_or_skip(json, &reading->type);
  if (json_named(name, "data") && json_is_object(json)) return json_object(json, data_member, context);
  return json_skip(json);
}

static bool params_member(struct json *json, const struct text *name, void *context) {
  if (json_named(name, "event") && json_is_object(json)) return json_object(json, event_member, context);
  return json_skip(json);
}

static bool top_member(struct json *json, const struct text *name, void *context) {
  if (json_named(name, "params") && json_is_object(json)) return json_object(json, params_member, context);
  return json_skip(json);
}

/* It becomes an argument of a program. */
static bool is_word(const struct text *text) {
  if (text->length == 0 || text->length > LONGEST_NAME) return false;
  for (size_t i = 0; i < text->length; i++)
    if ((text->bytes[i] < 'a' || text->bytes[i] > 'z') && text->bytes[i] != '_') return false;
  return true;
}

bool asked_read(const char *line, size_t length, const char *request, struct asked *asked) {
  *asked = (struct asked){.tries = -1};
  struct reading reading = {.asked = asked};
  struct json json = json_of(line, length);
  bool ours = json_object(&json, top_member, &reading) && json_ended(&json) && json_named(&reading.type, OPENED) &&
              json_named(&reading.request, request) && is_word(&asked->purpose) && asked->prompt.length > 0 &&
              asked->prompt.length <= LONGEST_NAME;
  text_clear(&reading.type);
  text_clear(&reading.request);
  if (!ours) asked_clear(asked);
  return ours;
}

void asked_clear(struct asked *asked) {
  text_clear(&asked->prompt);
  text_clear(&asked->purpose);
}
