#include "json_write.h"

#include <stdio.h>

static void write_byte(struct text *into, unsigned char byte) {
  char escaped[8];
  if (byte == '"' || byte == '\\')
    text_add(into, (char[]){'\\', (char)byte}, 2);
  else if (byte < 0x20)
    text_add(into, escaped, (size_t)snprintf(escaped, sizeof escaped, "\\u%04x", byte));
  else
    text_add(into, &byte, 1);
}

void json_write_string(struct text *into, const char *utf8, size_t length) {
  text_add(into, "\"", 1);
  for (size_t i = 0; i < length; i++) write_byte(into, (unsigned char)utf8[i]);
  text_add(into, "\"", 1);
}
