#include "json_read.h"

#include "utf8.h"

#include <string.h>

#define DEEPEST 32

struct json json_of(const char *bytes, size_t length) { return (struct json){bytes, bytes + length, 0}; }

static void skip_white(struct json *json) {
  while (json->at < json->end && (*json->at == ' ' || *json->at == '\t' || *json->at == '\r' || *json->at == '\n'))
    json->at++;
}

static bool next_is(struct json *json, char wanted) {
  skip_white(json);
  return json->at < json->end && *json->at == wanted;
}

static bool take(struct json *json, char wanted) {
  if (!next_is(json, wanted)) return false;
  json->at++;
  return true;
}

bool json_is_object(struct json *json) { return next_is(json, '{'); }

bool json_ended(struct json *json) {
  skip_white(json);
  return json->at == json->end;
}

bool json_named(const struct text *name, const char *wanted) {
  return name->length == strlen(wanted) && memcmp(name->bytes, wanted, name->length) == 0;
}

static bool hexadecimal(struct json *json, uint32_t *unit) {
  if (json->end - json->at < 4) return false;
  *unit = 0;
  for (int i = 0; i < 4; i++) {
    static const char digits[] = "0123456789abcdef";
    char byte = *json->at++;
    const char *digit = memchr(digits, byte >= 'A' && byte <= 'F' ? byte + ('a' - 'A') : byte, 16);
    if (digit == NULL) return false;
    *unit = *unit << 4 | (uint32_t)(digit - digits);
  }
  return true;
}

static bool unicode_escape(struct json *json, struct text *into) {
  uint32_t character, low;
  if (!hexadecimal(json, &character) || character == 0 || (character >= 0xDC00 && character <= 0xDFFF)) return false;
  if (character >= 0xD800 && character <= 0xDBFF) {
    if (json->end - json->at < 2 || memcmp(json->at, "\\u", 2) != 0) return false;
    json->at += 2;
    if (!hexadecimal(json, &low) || low < 0xDC00 || low > 0xDFFF) return false;
    character = 0x10000 + ((character - 0xD800) << 10) + (low - 0xDC00);
  }
  char bytes[4];
  text_add(into, bytes, utf8_write(character, bytes));
  return true;
}

static bool escape(struct json *json, struct text *into) {
  static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
  if (json->at == json->end) return false;
  char letter = *json->at++;
  if (letter == 'u') return unicode_escape(json, into);
  const char *found = memchr(letters, letter, sizeof letters - 1);
  if (found == NULL) return false;
  text_add(into, meant + (found - letters), 1);
  return true;
}

bool json_string(struct json *json, struct text *into) {
  if (!take(json, '"')) return false;
  while (json->at < json->end) {
    const char *plain = json->at;
    size_t length;
    while (json->at < json->end && *json->at != '"' && *json->at != '\\') {
      if ((unsigned char)*json->at < 0x20 || (length = utf8_length(json->at, json->end)) == 0) return false;
      json->at += length;
    }
    text_add(into, plain, (size_t)(json->at - plain));
    if (json->at == json->end) return false;
    if (*json->at++ == '"') return !into->failed;
    if (!escape(json, into)) return false;
  }
  return false;
}

static size_t skip_digits(struct json *json) {
  const char *first = json->at;
  while (json->at < json->end && *json->at >= '0' && *json->at <= '9') json->at++;
  return (size_t)(json->at - first);
}

static bool whole_part(struct json *json) {
  skip_white(json);
  if (json->at < json->end && *json->at == '-') json->at++;
  const char *first = json->at;
  size_t digits = skip_digits(json);
  return digits == 1 || (digits > 1 && *first != '0');
}

static bool fraction_and_exponent(struct json *json) {
  if (json->at < json->end && *json->at == '.') {
    json->at++;
    if (skip_digits(json) == 0) return false;
  }
  if (json->at < json->end && (*json->at == 'e' || *json->at == 'E')) {
    json->at++;
    if (json->at < json->end && (*json->at == '+' || *json->at == '-')) json->at++;
    if (skip_digits(json) == 0) return false;
  }
  return true;
}

bool json_integer(struct json *json, int64_t *value) {
  skip_white(json);
  const char *at = json->at;
  if (!whole_part(json)) return false;
  bool negative = *at == '-';
  *value = 0;
  for (at += negative; at < json->at; at++) { /* counted downwards: the lowest number has no positive brother */
    if (__builtin_mul_overflow(*value, 10, value) || __builtin_sub_overflow(*value, *at - '0', value)) return false;
  }
  if (!negative && __builtin_sub_overflow(0, *value, value)) return false;
  return json->at == json->end || (*json->at != '.' && *json->at != 'e' && *json->at != 'E');
}

bool json_object(struct json *json, json_member *member, void *context) {
  if (json->depth >= DEEPEST || !take(json, '{')) return false;
  json->depth++;
  bool good = take(json, '}');
  for (bool more = !good; more;) {
    struct text name = {0};
    good = json_string(json, &name) && take(json, ':') && member(json, &name, context);
    text_clear(&name);
    more = good && take(json, ',');
    good = good && (more || take(json, '}'));
  }
  json->depth--;
  return good;
}

static bool skip_member(struct json *json, const struct text *name, void *context) {
  (void)name, (void)context;
  return json_skip(json);
}

bool json_array(struct json *json, json_value *value, void *context) {
  if (json->depth >= DEEPEST || !take(json, '[')) return false;
  json->depth++;
  bool good = take(json, ']');
  for (bool more = !good; more;) {
    good = value(json, context);
    more = good && take(json, ',');
    good = good && (more || take(json, ']'));
  }
  json->depth--;
  return good;
}

static bool skip_value(struct json *json, void *context) {
  (void)context;
  return json_skip(json);
}

static bool skip_string(struct json *json) {
  struct text unwanted = {0};
  bool good = json_string(json, &unwanted);
  text_clear(&unwanted);
  return good;
}

static bool skip_word(struct json *json) {
  static const char *const words[] = {"true", "false", "null"};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    size_t length = strlen(words[i]);
    if ((size_t)(json->end - json->at) < length || memcmp(json->at, words[i], length) != 0) continue;
    json->at += length;
    return true;
  }
  return false;
}

bool json_skip(struct json *json) {
  skip_white(json);
  if (json->at == json->end) return false;
  switch (*json->at) {
    case '{': return json_object(json, skip_member, NULL);
    case '[': return json_array(json, skip_value, NULL);
    case '"': return skip_string(json);
    case 't': case 'f': case 'n': return skip_word(json);
    default: return whole_part(json) && fraction_and_exponent(json);
  }
}
