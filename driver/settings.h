/* What the environment says, looked up once, at the first call. */
#ifndef SSCARD_SETTINGS_H
#define SSCARD_SETTINGS_H

#include "charset.h"

#include <sys/un.h>

struct settings {
  bool good; /* all that is set can be used */
  struct sockaddr_un socket;
  enum charset charset;
  unsigned machine_s; /* for an answer of machines */
  unsigned person_s;  /* more for each password that the holder may have to type */
  char reader[256];   /* UTF-8; the reader of the station that is meant, empty: the one with the card */
  char helper[1024];  /* the program that asks for passwords, empty: none */
  unsigned digits;    /* of passwords that are typed at the reader's own keypad, 0: they are typed at prompts */
};

const struct settings *settings_get(void);

#endif
