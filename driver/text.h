/* Bytes that grow, at most to the longest line of the socket, and are wiped when they go: they hold people's data. */
#ifndef SSCARD_TEXT_H
#define SSCARD_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#define TEXT_LIMIT ((size_t)1 << 20)

struct text {
  char *bytes;
  size_t length, room;
  bool failed; /* something did not fit: what is here is not the whole */
};

void text_add(struct text *text, const void *bytes, size_t length);
void text_add_string(struct text *text, const char *string);
void text_drop(struct text *text, size_t length); /* the first bytes */
void text_clear(struct text *text);               /* wipes, keeps no memory */

#endif
