#include "charset.h"

#include "utf8.h"

#include <errno.h>
#include <iconv.h>
#include <string.h>

#define WIDE "GB18030"
#define LONGEST 8 /* bytes of one character in any of the two charsets, and some more */

static bool read_utf8(const char *input, size_t length, struct text *into) {
  const char *end = input + length;
  for (const char *at = input; at < end;) {
    size_t one = utf8_length(at, end);
    if (one == 0) return false;
    at += one;
  }
  text_add(into, input, length);
  return !into->failed;
}

static bool read_gbk(const char *input, size_t length, struct text *into) {
  iconv_t convert = iconv_open("UTF-8", WIDE);
  if (convert == (iconv_t)-1) return false;
  char *at = (char *)input; /* iconv(3) has no const, and changes nothing */
  bool good = true;
  while (good && length > 0) {
    char chunk[512], *end = chunk;
    size_t room = sizeof chunk;
    good = iconv(convert, &at, &length, &end, &room) != (size_t)-1 || errno == E2BIG;
    text_add(into, chunk, (size_t)(end - chunk));
    explicit_bzero(chunk, sizeof chunk);
  }
  iconv_close(convert);
  return good && !into->failed;
}

bool charset_read(enum charset charset, const char *input, size_t length, struct text *into) {
  return charset == CHARSET_UTF8 ? read_utf8(input, length, into) : read_gbk(input, length, into);
}

/* Characters of GBK's own that had no place in Unicode when GB 18030-2000 was written. The daemon, which goes by that
 * edition, gives the private places they had then; glibc, which goes by a later one, knows only those they have now. */
static const struct {
  unsigned first, last, bytes;
} moved[] = {
    {0xE78D, 0xE793, 0xA6D9}, {0xE794, 0xE795, 0xA6EC}, {0xE796, 0xE796, 0xA6F3}, {0xE7C7, 0xE7C7, 0xA8BC},
    {0xE816, 0xE818, 0xFE51}, {0xE81E, 0xE81E, 0xFE59}, {0xE826, 0xE826, 0xFE61}, {0xE82B, 0xE82C, 0xFE66},
    {0xE831, 0xE832, 0xFE6C}, {0xE83B, 0xE83B, 0xFE76}, {0xE843, 0xE843, 0xFE7E}, {0xE854, 0xE855, 0xFE90},
    {0xE864, 0xE864, 0xFEA0},
};

static size_t moved_character(const char *utf8, size_t length, char bytes[LONGEST]) {
  const unsigned char *byte = (const unsigned char *)utf8;
  if (length != 3) return 0;
  unsigned character = (byte[0] & 0x0Fu) << 12 | (byte[1] & 0x3Fu) << 6 | (byte[2] & 0x3Fu);
  for (size_t i = 0; i < sizeof moved / sizeof *moved; i++) {
    if (character < moved[i].first || character > moved[i].last) continue;
    unsigned pair = moved[i].bytes + (character - moved[i].first);
    bytes[0] = (char)(pair >> 8);
    bytes[1] = (char)pair;
    return 2;
  }
  return 0;
}

/* The character's bytes in GB18030; how many. */
static size_t one_character(iconv_t convert, const char *utf8, size_t length, char bytes[LONGEST]) {
  size_t count = moved_character(utf8, length, bytes);
  if (count > 0) return count;
  char *from = (char *)utf8, *to = bytes;
  size_t room = LONGEST;
  if (convert != (iconv_t)-1 && iconv(convert, &from, &length, &to, &room) != (size_t)-1) return (size_t)(to - bytes);
  bytes[0] = '?';
  return 1;
}

static bool is_ascii(char byte) { return ((unsigned char)byte & 0x80) == 0; }

bool charset_write(enum charset charset, const char *utf8, size_t length, char *output, size_t room) {
  iconv_t convert = charset == CHARSET_GBK ? iconv_open(WIDE, "UTF-8") : (iconv_t)-1;
  const char *end = utf8 + length;
  char *last = output + room - 1;
  bool whole = true;
  for (size_t one; utf8 < end; utf8 += one) {
    char converted[LONGEST];
    const char *bytes = utf8;
    size_t count = one = utf8_length(utf8, end);
    if (one == 0) break; /* the caller promised otherwise */
    if (charset == CHARSET_GBK && !is_ascii(*utf8)) {
      count = one_character(convert, utf8, one, converted);
      bytes = converted;
    }
    if ((size_t)(last - output) < count) {
      whole = false;
      break;
    }
    memcpy(output, bytes, count);
    output += count;
  }
  *output = '\0';
  if (convert != (iconv_t)-1) iconv_close(convert);
  return whole;
}
