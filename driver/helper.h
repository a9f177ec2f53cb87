/* A program of the user's that asks the holder for a password: SSCARD_PIN_HELPER. */
#ifndef SSCARD_HELPER_H
#define SSCARD_HELPER_H

#include "deadline.h"
#include "failures.h"

#include <stddef.h>
#include <stdint.h>

#define FEWEST_DIGITS 4
#define MOST_DIGITS 16

struct digits {
  char bytes[MOST_DIGITS + 8]; /* with room to see that there are too many */
  size_t length;
};

/* Runs the helper until it ends, or until the deadline (PIN_LATE), or until something comes from the daemon, for then
 * the call is over (OVERTAKEN): it is ended then. FINE: the digits are a password. PIN_CANCELLED, PIN_LENGTH;
 * HELPER_BROKEN where it cannot be run or does not do what helpers do. */
enum failure helper_ask(const char *helper, const char *purpose, int64_t tries, struct deadline deadline, int daemon,
                        struct digits *digits);

#endif
