#include "text.h"

#include <stdlib.h>
#include <string.h>

static bool grow(struct text *text, size_t wanted) {
  size_t room = text->room ? text->room : 256;
  while (room < wanted) room *= 2;
  char *bytes = malloc(room); /* no realloc: it would leave a copy behind that nobody wipes */
  if (bytes == NULL) return false;
  if (text->bytes != NULL) {
    memcpy(bytes, text->bytes, text->length);
    explicit_bzero(text->bytes, text->room);
    free(text->bytes);
  }
  text->bytes = bytes;
  text->room = room;
  return true;
}

void text_add(struct text *text, const void *bytes, size_t length) {
  if (text->failed || length == 0) return;
  if (length > TEXT_LIMIT - text->length ||
      (text->length + length > text->room && !grow(text, text->length + length))) {
    text->failed = true;
    return;
  }
  memcpy(text->bytes + text->length, bytes, length);
  text->length += length;
}

void text_add_string(struct text *text, const char *string) { text_add(text, string, strlen(string)); }

void text_drop(struct text *text, size_t length) {
  if (length == 0) return;
  memmove(text->bytes, text->bytes + length, text->length - length);
  text->length -= length;
  explicit_bzero(text->bytes + text->length, length);
}

void text_clear(struct text *text) {
  if (text->bytes != NULL) explicit_bzero(text->bytes, text->room);
  free(text->bytes);
  *text = (struct text){0};
}
