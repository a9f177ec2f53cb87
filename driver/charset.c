#include "charset.h"

#include "utf8.h"

#include <iconv.h>
#include <stdint.h>
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

/* Characters of GBK's own that had no place in Unicode when GB 18030-2000 was written. The daemon, which goes by that
 * edition, has them in the private places they had then; glibc, which goes by a later one, only in those of today. */
static const struct moved {
  uint32_t first, last, pair; /* the place of `first` in GBK; the others follow it */
} moved[] = {
    {0xE78D, 0xE793, 0xA6D9}, {0xE794, 0xE795, 0xA6EC}, {0xE796, 0xE796, 0xA6F3}, {0xE7C7, 0xE7C7, 0xA8BC},
    {0xE816, 0xE818, 0xFE51}, {0xE81E, 0xE81E, 0xFE59}, {0xE826, 0xE826, 0xFE61}, {0xE82B, 0xE82C, 0xFE66},
    {0xE831, 0xE832, 0xFE6C}, {0xE83B, 0xE83B, 0xFE76}, {0xE843, 0xE843, 0xFE7E}, {0xE854, 0xE855, 0xFE90},
    {0xE864, 0xE864, 0xFEA0},
};
static const struct moved *const moved_end = moved + sizeof moved / sizeof *moved;

/* The character's UTF-8; how many bytes, 0 for one that did not move. */
static size_t moved_from(const char *gbk, size_t length, char utf8[LONGEST]) {
  if (length != 2) return 0;
  uint32_t pair = (uint32_t)(unsigned char)gbk[0] << 8 | (unsigned char)gbk[1];
  for (const struct moved *row = moved; row < moved_end; row++)
    if (pair >= row->pair && pair <= row->pair + (row->last - row->first))
      return utf8_write(row->first + (pair - row->pair), utf8);
  return 0;
}

/* The other way. */
static size_t moved_to(const char *utf8, size_t length, char gbk[LONGEST]) {
  const unsigned char *byte = (const unsigned char *)utf8;
  if (length != 3) return 0;
  uint32_t character = (byte[0] & 0x0Fu) << 12 | (byte[1] & 0x3Fu) << 6 | (byte[2] & 0x3Fu);
  for (const struct moved *row = moved; row < moved_end; row++) {
    if (character < row->first || character > row->last) continue;
    uint32_t pair = row->pair + (character - row->first);
    gbk[0] = (char)(pair >> 8);
    gbk[1] = (char)pair;
    return 2;
  }
  return 0;
}

/* The character's bytes on the other side; how many, 0 where there are none. */
static size_t convert_one(iconv_t convert, const char *from, size_t length, char bytes[LONGEST]) {
  char *at = (char *)from, *to = bytes; /* iconv(3) has no const, and changes nothing */
  size_t room = LONGEST;
  bool good = convert != (iconv_t)-1 && iconv(convert, &at, &length, &to, &room) != (size_t)-1;
  return good ? (size_t)(to - bytes) : 0;
}

/* Bytes of the character in GB18030 by its first two; 0 where it is cut off. */
static size_t wide_length(const char *at, const char *end) {
  size_t left = (size_t)(end - at), length = 1;
  if ((*at & 0x80) != 0) length = left > 1 && at[1] >= '0' && at[1] <= '9' ? 4 : 2;
  return length <= left ? length : 0;
}

static bool read_gbk(const char *input, size_t length, struct text *into) {
  iconv_t convert = iconv_open("UTF-8", WIDE);
  const char *end = input + length;
  bool good = true;
  for (size_t one; good && input < end; input += one) {
    char utf8[LONGEST] = {*input};
    one = wide_length(input, end);
    size_t count = one == 1 ? 1 : moved_from(input, one, utf8);
    if (count == 0 && one > 0) count = convert_one(convert, input, one, utf8);
    good = count > 0;
    text_add(into, utf8, count);
  }
  if (convert != (iconv_t)-1) iconv_close(convert);
  return good && !into->failed;
}

bool charset_read(enum charset charset, const char *input, size_t length, struct text *into) {
  return charset == CHARSET_UTF8 ? read_utf8(input, length, into) : read_gbk(input, length, into);
}

/* The character's bytes in GB18030; how many. */
static size_t one_character(iconv_t convert, const char *utf8, size_t length, char bytes[LONGEST]) {
  size_t count = moved_to(utf8, length, bytes);
  if (count == 0) count = convert_one(convert, utf8, length, bytes);
  if (count > 0) return count;
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
