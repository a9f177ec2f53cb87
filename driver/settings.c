#include "settings.h"

#include "helper.h"
#include "utf8.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define LONGEST_S 86400

static struct settings found;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Not for programs that run with another user's rights than whoever set the environment. */
static const char *variable(const char *name, const char *otherwise) {
  const char *value = secure_getenv(name);
  return value != NULL && *value != '\0' ? value : otherwise;
}

static bool whole_number(const char *text, unsigned least, unsigned most, unsigned *value) {
  char *end;
  unsigned long number = strtoul(text, &end, 10);
  if (*text < '0' || *text > '9' || *end != '\0' || number < least || number > most) return false;
  *value = (unsigned)number;
  return true;
}

static bool charset(const char *text, enum charset *value) {
  static const struct {
    const char *name;
    enum charset charset;
  } names[] = {{"gbk", CHARSET_GBK}, {"utf-8", CHARSET_UTF8}, {"utf8", CHARSET_UTF8}};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (strcasecmp(text, names[i].name) != 0) continue;
    *value = names[i].charset;
    return true;
  }
  return false;
}

static bool address(const char *path, struct sockaddr_un *value) {
  size_t length = strlen(path);
  value->sun_family = AF_UNIX;
  if (length >= sizeof value->sun_path) return false;
  memcpy(value->sun_path, path, length + 1);
  return true;
}

static bool name(const char *text, char *value, size_t room) {
  size_t length = strlen(text);
  if (length >= room) return false;
  for (const char *at = text, *end = text + length; at < end;) {
    size_t one = utf8_length(at, end);
    if (one == 0) return false;
    at += one;
  }
  memcpy(value, text, length + 1);
  return true;
}

static bool keypad(const char *text, unsigned *value) {
  return *text == '\0' || whole_number(text, FEWEST_DIGITS, MOST_DIGITS, value);
}

/* A whole path: what PATH and the working directory are like is not the library's to guess. */
static bool program(const char *path, char *value, size_t room) {
  size_t length = strlen(path);
  if (length >= room || (length > 0 && *path != '/')) return false;
  memcpy(value, path, length + 1);
  return true;
}

static void look_up(void) {
  const char *path = variable("SSCARD_SOCKET", variable("CARDD_SOCKET", "/run/cardd/cardd.sock"));
  /* the charset first and always: a wrong one beside it must not make the message unreadable */
  bool known = charset(variable("SSCARD_CHARSET", "gbk"), &found.charset);
  found.good = known && address(path, &found.socket) &&
               whole_number(variable("SSCARD_TIMEOUT", "60"), 1, LONGEST_S, &found.machine_s) &&
               whole_number(variable("SSCARD_PERSON_TIMEOUT", "125"), 1, LONGEST_S, &found.person_s) &&
               name(variable("SSCARD_READER", ""), found.reader, sizeof found.reader) &&
               program(variable("SSCARD_PIN_HELPER", ""), found.helper, sizeof found.helper) &&
               keypad(variable("SSCARD_KEYPAD_DIGITS", ""), &found.digits);
}

const struct settings *settings_get(void) {
  pthread_once(&once, look_up);
  return &found;
}
