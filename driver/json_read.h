/* A reader of JSON that takes nothing on trust: it never looks past the end, goes only so deep, and refuses whatever
 * RFC 8259 does not allow. Each function moves past what it read and returns false where the text is not in order;
 * then the rest must not be read. */
#ifndef SSCARD_JSON_READ_H
#define SSCARD_JSON_READ_H

#include "text.h"

#include <stdint.h>

struct json {
  const char *at, *end;
  unsigned depth;
};

/* Called with a member's name; must read or skip the member's value. */
typedef bool json_member(struct json *json, const struct text *name, void *context);
/* Must read or skip one value of an array. */
typedef bool json_value(struct json *json, void *context);

struct json json_of(const char *bytes, size_t length);
bool json_is_object(struct json *json); /* whether an object comes next; reads nothing but white space */
bool json_object(struct json *json, json_member *member, void *context);
bool json_array(struct json *json, json_value *value, void *context);
bool json_string(struct json *json, struct text *into);      /* adds it as UTF-8; a zero byte in it is refused */
bool json_integer(struct json *json, int64_t *value);        /* no fraction, no exponent */
bool json_skip(struct json *json);                           /* a value of any kind */
bool json_ended(struct json *json);                          /* nothing follows but white space */
bool json_named(const struct text *name, const char *wanted);

#endif
