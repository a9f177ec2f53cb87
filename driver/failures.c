#include "failures.h"

static const struct {
  int code;
  const char *text;
} rows[] = {
#define ROW(name, code, text) [name] = {code, text},
    FAILURES(ROW)
#undef ROW
};

int failure_code(enum failure failure) { return rows[failure].code; }

const char *failure_text(enum failure failure) { return rows[failure].text; }
