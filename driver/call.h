/* One call of one function: what the caller gave, where its answer goes. */
#ifndef SSCARD_CALL_H
#define SSCARD_CALL_H

#include <stddef.h>

struct argument {
  const char *text; /* NULL with room 0: a number */
  size_t room;      /* bytes that the caller's text may have, with the zero byte at its end */
  int number;
};

struct call {
  const char *function;
  const struct argument *arguments;
  size_t count;
  unsigned typed; /* how many passwords the holder may have to type */
};

struct buffer {
  char *bytes;
  size_t room;
};

/* Returns the function's number; the buffer holds its answer or a message. Of two buffers the first gets what stands
 * before the answer's first bar and the second what stands before the next one. A message goes to the last one. */
long sscard_call(const struct call *call, const struct buffer *buffers, size_t count);

#endif
