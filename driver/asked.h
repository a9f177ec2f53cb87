/* What the daemon says on the connection on which passwords are asked for: its answers there, and what it asks. */
#ifndef SSCARD_ASKED_H
#define SSCARD_ASKED_H

#include "text.h"

#include <stdint.h>

enum reply {
  REPLY_ELSEWHERE, /* none to this request */
  REPLY_GOOD,
  REPLY_RIGHTS_MISSING, /* good, and it says that this user may not watch prompts, or not answer them */
  REPLY_REFUSED,
};

/* A prompt that opened for our own request. */
struct asked {
  struct text prompt;  /* its name */
  struct text purpose; /* lower-case letters and _ */
  int64_t tries;       /* -1 where it says none */
};

enum reply reply_read(const char *line, size_t length, int64_t id);
bool asked_read(const char *line, size_t length, const char *request, struct asked *asked);
void asked_clear(struct asked *asked);

#endif
