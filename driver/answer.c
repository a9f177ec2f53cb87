#include "answer.h"

#include "json_read.h"

#include <limits.h>

struct reading {
  int64_t id, code;
  bool has_id, null_id, has_result, has_code, has_error;
  struct text out, message, chinese;
};

static bool string_again(struct json *json, struct text *into) { /* a member that comes twice: the last one counts */
  text_clear(into);
  return json_string(json, into);
}

static bool result_member(struct json *json, const struct text *name, void *context) {
  struct reading *reading = context;
  if (json_named(name, "code")) return reading->has_code = json_integer(json, &reading->code);
  if (json_named(name, "out")) return string_again(json, &reading->out);
  return json_skip(json);
}

static bool texts_member(struct json *json, const struct text *name, void *context) {
  struct reading *reading = context;
  return json_named(name, "zh-CN") ? string_again(json, &reading->chinese) : json_skip(json);
}

static bool data_member(struct json *json, const struct text *name, void *context) {
  if (json_named(name, "text") && json_is_object(json)) return json_object(json, texts_member, context);
  return json_skip(json);
}

static bool error_member(struct json *json, const struct text *name, void *context) {
  struct reading *reading = context;
  if (json_named(name, "message")) return string_again(json, &reading->message);
  if (json_named(name, "data") && json_is_object(json)) return json_object(json, data_member, context);
  return json_skip(json);
}

static bool read_id(struct json *json, struct reading *reading) {
  struct json number = *json, null = *json;
  reading->has_id = json_integer(&number, &reading->id);
  if (!json_skip(json)) return false;
  reading->has_id = reading->has_id && number.at == json->at;
  reading->null_id = !json_is_object(&null) && *null.at == 'n';
  return true;
}

static bool top_member(struct json *json, const struct text *name, void *context) {
  struct reading *reading = context;
  if (json_named(name, "id")) return read_id(json, reading);
  if (json_named(name, "result") && json_is_object(json)) {
    reading->has_result = true;
    return json_object(json, result_member, context);
  }
  if (json_named(name, "error") && json_is_object(json)) {
    reading->has_error = true;
    return json_object(json, error_member, context);
  }
  return json_skip(json);
}

static enum answer_kind kind_of(const struct reading *reading, int64_t id) {
  if (reading->has_error && reading->null_id) return ANSWER_REFUSED; /* it could not read who asked */
  if (!reading->has_id || reading->id != id) return ANSWER_ELSEWHERE;
  if (reading->has_error) return reading->has_result ? ANSWER_BROKEN : ANSWER_REFUSED;
  bool code = reading->has_code && reading->code >= INT_MIN && reading->code <= INT_MAX;
  return reading->has_result && code ? ANSWER_RESULT : ANSWER_BROKEN;
}

static struct text taken(struct text *text) {
  struct text whole = *text;
  *text = (struct text){0};
  return whole;
}

struct answer answer_read(const char *line, size_t length, int64_t id) {
  struct reading reading = {0};
  struct json json = json_of(line, length);
  struct answer answer = {.kind = ANSWER_BROKEN};
  if (json_object(&json, top_member, &reading) && json_ended(&json)) answer.kind = kind_of(&reading, id);
  if (answer.kind == ANSWER_RESULT) {
    answer.code = (int)reading.code;
    answer.text = taken(&reading.out);
  } else if (answer.kind == ANSWER_REFUSED) {
    answer.text = taken(reading.chinese.length > 0 ? &reading.chinese : &reading.message);
  }
  text_clear(&reading.out);
  text_clear(&reading.message);
  text_clear(&reading.chinese);
  return answer;
}

void answer_clear(struct answer *answer) { text_clear(&answer->text); }
