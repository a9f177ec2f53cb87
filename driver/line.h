/* One connection to the daemon, and what has arrived on it. */
#ifndef SSCARD_LINE_H
#define SSCARD_LINE_H

#include "deadline.h"
#include "failures.h"
#include "settings.h"
#include "text.h"

struct line {
  int fd; /* -1: none */
  struct text arrived;
  size_t looked; /* so much of it has no end of a line */
};

bool line_dial(struct line *line, const struct settings *settings, struct deadline deadline);
bool line_has_ended(const struct line *line);
void line_hang_up(struct line *line);
enum failure line_send(const struct line *line, struct deadline deadline, const struct text *message);
enum failure line_receive(struct line *line); /* takes what is there, once; nothing is FINE */
size_t line_length(struct line *line);        /* of the first whole line, with its end; 0 where none has come */
void line_drop(struct line *line, size_t length);

#endif
