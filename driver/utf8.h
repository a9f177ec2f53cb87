/* One character of UTF-8: shortest form only, no surrogates (RFC 3629). */
#ifndef SSCARD_UTF8_H
#define SSCARD_UTF8_H

#include <stddef.h>
#include <stdint.h>

size_t utf8_length(const char *at, const char *end);  /* bytes of the character at `at`, 0 where none is in order */
size_t utf8_write(uint32_t character, char bytes[4]); /* the character's bytes; how many */

#endif
