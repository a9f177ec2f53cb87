/* The connection to the daemon: one for the whole process, because the steps of one piece of business keep their card
 * with the connection, and programs take the steps in whatever thread they are. One call at a time has it. */
#ifndef SSCARD_LINK_H
#define SSCARD_LINK_H

#include "answer.h"
#include "deadline.h"
#include "failures.h"
#include "prompts.h"
#include "settings.h"

/* Sends the request that `write` makes with a fresh id and waits for its answer; meanwhile the prompts that open for it
 * are answered by the helper (NULL: by others). A request that may have been carried out is never sent again. */
enum failure link_ask(const struct settings *settings, struct deadline deadline,
                      void (*write)(struct text *line, int64_t id, const void *context), const void *context,
                      struct prompts *prompts, struct answer *answer);

#endif
