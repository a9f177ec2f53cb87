/* Reads answers that were damaged at random, and the texts in them; built with sanitizers, which end it at the first
 * byte that is touched beyond its memory. `hostile_answers SEED COUNT`; prints how many came through as which kind.
 * With -DLIBFUZZER -fsanitize=fuzzer (clang) coverage guides the damage instead. */
#include "answer.h"
#include "asked.h"
#include "charset.h"
#include "utf8.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST 4096

static void demand(bool good, const char *what) {
  if (good) return;
  fprintf(stderr, "not so: %s\n", what);
  abort();
}

static bool in_order(const char *at, size_t length) {
  for (const char *end = at + length; at < end;) {
    size_t one = utf8_length(at, end);
    if (one == 0 || *at == '\0') return false;
    at += one;
  }
  return true;
}

/* What is written ends within its room, and is whole characters. */
static void check_writing(enum charset charset, const struct text *text, size_t room) {
  char *output = malloc(room);
  bool whole = charset_write(charset, text->length ? text->bytes : "", text->length, output, room);
  size_t length = strnlen(output, room);
  demand(length < room, "the text ends in its buffer");
  struct text again = {0};
  demand(charset_read(charset, output, length, &again), "what was written can be read");
  demand(again.length == 0 || in_order(again.bytes, again.length), "it is read as UTF-8");
  demand(!whole || charset == CHARSET_GBK || length == text->length, "whole is whole");
  demand(whole || length + 4 >= room, "it is cut no earlier than it must be");
  text_clear(&again);
  free(output);
}

static void check_reading(enum charset charset, const char *bytes, size_t length) {
  struct text text = {0};
  if (charset_read(charset, bytes, length, &text) && length > 0 && memchr(bytes, '\0', length) == NULL)
    demand(in_order(text.bytes, text.length), "input becomes UTF-8");
  text_clear(&text);
}

/* What comes on the connection on which passwords are asked for; the purpose becomes an argument of a program. */
static bool check_asking(const char *line, size_t length) {
  struct asked asked;
  enum reply reply = reply_read(line, length, 7);
  demand(reply >= REPLY_ELSEWHERE && reply <= REPLY_REFUSED, "a reply of some kind");
  bool ours = asked_read(line, length, "r7", &asked);
  demand(ours || (asked.prompt.length == 0 && asked.purpose.length == 0), "nothing is kept of another's prompt");
  demand(!ours || (asked.prompt.length > 0 && in_order(asked.prompt.bytes, asked.prompt.length)), "it has a name");
  for (size_t i = 0; i < asked.purpose.length; i++)
    demand((asked.purpose.bytes[i] >= 'a' && asked.purpose.bytes[i] <= 'z') || asked.purpose.bytes[i] == '_', "a word");
  asked_clear(&asked);
  return ours;
}

static unsigned long prompts;

static enum answer_kind look_at(const uint8_t *data, size_t length) {
  char *line = malloc(length); /* of just that length: one byte further is somebody else's */
  if (length > 0) memcpy(line, data, length);
  struct answer answer = answer_read(line, length, 7);
  enum answer_kind kind = answer.kind;
  if (answer.text.length > 0) demand(in_order(answer.text.bytes, answer.text.length), "the text is whole UTF-8");
  demand(kind == ANSWER_RESULT || kind == ANSWER_REFUSED || answer.text.length == 0, "no text without an answer");
  for (size_t room = 1; room <= 64; room = room * 2 + length % 3) {
    check_writing(CHARSET_GBK, &answer.text, room);
    check_writing(CHARSET_UTF8, &answer.text, room);
  }
  answer_clear(&answer);
  prompts += check_asking(line, length);
  check_reading(CHARSET_GBK, line, length);
  check_reading(CHARSET_UTF8, line, length);
  free(line);
  return kind;
}

#ifdef LIBFUZZER
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length) {
  look_at(data, length);
  return 0;
}
#else
static const char *const answers[] = {
    "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"code\":0,\"out\":\"510100|510101190001010012|A12345678|测试甲|\"}}\n",
    "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"code\":-25536,\"out\":\"\\u6d4b\\ud83d\\ude00\\n\\\"\\\\\\/\"}}\n",
    "{\"id\":7,\"error\":{\"code\":-32000,\"message\":\"no\",\"data\":{\"reason\":\"FORBIDDEN\",\"text\":{\"en\":\"no\","
    "\"zh-CN\":\"当前用户无此权限。\"}}}}\n",
    "{\"method\":\"event\",\"params\":{\"a\":[1,-2.5e+10,true,false,null,[[[{}]]],\"𠀀䶮\"]}}\n",
    "{\"id\":null,\"error\":{\"message\":\"broken\"}}\n",
    "{\"id\":7,\"result\":{\"daemon\":\"cardd\",\"rights\":[\"observe\",\"pin\"]}}\n",
    "{\"method\":\"event\",\"params\":{\"event\":{\"type\":\"org.cardd.prompt.opened.v1\",\"data\":{\"prompt\":"
    "\"a1\",\"purpose\":\"social_pin\",\"digits\":[4,16],\"tries_left\":6,\"request\":\"r7\"}}}}\n",
};
static const char *const pieces[] = {
    "{", "}", "[", "]", "\"", "\\", ",", ":", "\\u", "\\ud800", "\\udc00", "\\u0000", "null", "true", "-", "0", ".5",
    "e9", "99999999999999999999", "-9223372036854775808", "2147483648", "\xe6\xb5", "\xed\xa0\x80", "\xf4\x8f\xbf\xbf",
    "\xf0\x90", "\xc0\x80", "\xff", "\"id\":7", "\"result\":{\"code\":1}", "\"out\":\"", "[[[[[[[[[[[[[[[[[[", "测",
    "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":",
};

static uint64_t state;

static size_t below(size_t limit) { /* splitmix64 */
  uint64_t mixed = (state += 0x9E3779B97F4A7C15u);
  mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9u;
  mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EBu;
  return limit == 0 ? 0 : (size_t)((mixed ^ mixed >> 31) % limit);
}

/* Puts `count` bytes in the place of those from `at` to `until`. */
static size_t replace(uint8_t *line, size_t length, size_t at, size_t until, const void *bytes, size_t count) {
  if (length - (until - at) + count > LONGEST) return length;
  memmove(line + at + count, line + until, length - until);
  memcpy(line + at, bytes, count);
  return length - (until - at) + count;
}

static size_t damage(uint8_t *line, size_t length) {
  size_t at = below(length + 1), until = at + below(length - at + 1);
  if (until - at > 16 && below(4) > 0) until = at + below(16);
  const char *piece = pieces[below(sizeof pieces / sizeof *pieces)];
  uint8_t copy[LONGEST], byte = (uint8_t)below(256);
  switch (below(6)) {
    case 0: return replace(line, length, at, at, piece, strlen(piece));
    case 1: return replace(line, length, at, until, piece, strlen(piece));
    case 2: return replace(line, length, at, until, "", 0);
    case 3: return replace(line, length, at, at < length ? at + 1 : at, &byte, 1);
    case 4: return at;
    default:
      memcpy(copy, line + at, until - at);
      return replace(line, length, below(length + 1), length, copy, until - at);
  }
}

int main(int count, char **arguments) {
  if (count != 3) return 64;
  state = strtoull(arguments[1], NULL, 10);
  unsigned long kinds[4] = {0}, runs = strtoul(arguments[2], NULL, 10);
  for (unsigned long run = 0; run < runs; run++) {
    static uint8_t line[LONGEST];
    const char *answer = answers[below(sizeof answers / sizeof *answers)];
    size_t length = strlen(answer);
    memcpy(line, answer, length);
    for (size_t times = below(5); times > 0; times--) length = damage(line, length);
    kinds[look_at(line, length)]++;
  }
  printf("broken %lu elsewhere %lu result %lu refused %lu prompts %lu\n", kinds[0], kinds[1], kinds[2], kinds[3],
         prompts);
  return 0;
}
#endif
