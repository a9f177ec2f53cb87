/* Between the caller's characters and UTF-8. GBK is taken as GB18030, of which it is the one- and two-byte part: that
 * is how cards have the few names that GBK cannot write, and libraries that hand on a card's bytes give them so too. */
#ifndef SSCARD_CHARSET_H
#define SSCARD_CHARSET_H

#include "text.h"

enum charset { CHARSET_GBK, CHARSET_UTF8 };

/* Adds the input as UTF-8; false where it is not in the charset, or where libc has no conversion. */
bool charset_read(enum charset charset, const char *input, size_t length, struct text *into);

/* Writes UTF-8 that is in order into `room` bytes (1 or more), with a zero byte at the end. False where not all of it
 * went in: then it is cut between two characters. What libc cannot convert becomes a question mark. */
bool charset_write(enum charset charset, const char *utf8, size_t length, char *output, size_t room);

#endif
