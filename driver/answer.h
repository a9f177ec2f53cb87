/* What one line from the daemon says. */
#ifndef SSCARD_ANSWER_H
#define SSCARD_ANSWER_H

#include "text.h"

#include <stdint.h>

enum answer_kind {
  ANSWER_BROKEN,    /* not JSON-RPC, or not what the function answers */
  ANSWER_ELSEWHERE, /* in order, but not the answer to this request */
  ANSWER_RESULT,    /* code and text are the function's own */
  ANSWER_REFUSED,   /* the daemon did not call the function; text says why */
};

struct answer {
  enum answer_kind kind;
  int code;
  struct text text; /* UTF-8 in order, without a zero byte */
};

struct answer answer_read(const char *line, size_t length, int64_t id);
void answer_clear(struct answer *answer);

#endif
