/* Writing the one request that is ever sent. */
#ifndef SSCARD_JSON_WRITE_H
#define SSCARD_JSON_WRITE_H

#include "text.h"

void json_write_string(struct text *into, const char *utf8, size_t length); /* with its quotation marks */

#endif
