/* Passwords by a helper: while a call is under way, a second connection sees the prompts that open for it, has the
 * helper ask the holder, and answers them. Every function takes NULL for a call to which others answer. */
#ifndef SSCARD_PROMPTS_H
#define SSCARD_PROMPTS_H

#include "line.h"

struct prompts {
  struct line line;
  const struct settings *settings;
  char request[33]; /* the call's name, by which its prompts are known */
  int64_t last_id;
  enum failure outcome; /* why a prompt was cancelled */
};

bool prompts_name(struct prompts *prompts); /* gives the call a name that no other has */
enum failure prompts_open(struct prompts *prompts, const struct settings *settings, struct deadline deadline);
int prompts_fd(const struct prompts *prompts);
void prompts_serve(struct prompts *prompts, struct deadline deadline, int daemon);
void prompts_close(struct prompts *prompts);

#endif
