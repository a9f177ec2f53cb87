#include "utf8.h"

/* The first byte decides the length and what the second may be. */
static const struct {
  unsigned char first, last, second_first, second_last;
  size_t length;
} forms[] = {
    {0x00, 0x7F, 0, 0, 1},       {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3},
    {0xE1, 0xEC, 0x80, 0xBF, 3}, {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3},
    {0xF0, 0xF0, 0x90, 0xBF, 4}, {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
};

size_t utf8_length(const char *at, const char *end) {
  const unsigned char *bytes = (const unsigned char *)at;
  size_t left = (size_t)(end - at);
  for (size_t i = 0; left > 0 && i < sizeof forms / sizeof *forms; i++) {
    if (bytes[0] < forms[i].first || bytes[0] > forms[i].last) continue;
    if (forms[i].length == 1) return 1;
    if (forms[i].length > left || bytes[1] < forms[i].second_first || bytes[1] > forms[i].second_last) return 0;
    for (size_t k = 2; k < forms[i].length; k++)
      if ((bytes[k] & 0xC0) != 0x80) return 0;
    return forms[i].length;
  }
  return 0;
}

size_t utf8_write(uint32_t character, char bytes[4]) {
  if (character < 0x80) {
    bytes[0] = (char)character;
    return 1;
  }
  size_t length = character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
  static const unsigned char leads[] = {0, 0, 0xC0, 0xE0, 0xF0};
  for (size_t i = length - 1; i > 0; i--, character >>= 6) bytes[i] = (char)(0x80 | (character & 0x3F));
  bytes[0] = (char)(leads[length] | character);
  return length;
}
