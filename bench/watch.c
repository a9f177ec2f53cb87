/* What a C program is told of cards put in: it waits for all readers at once, as PC/SC part 5 has it.
 *
 * usage: watch
 * Prints `ready`, then for each card that comes `NANOSECONDS READER`, by CLOCK_MONOTONIC when the wait returned.
 * Where the service goes it prints `NANOSECONDS down`, tries again every millisecond, and prints `NANOSECONDS up` once it
 * lists readers again. Ends with its process.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <winscard.h>

#define MOST 16
#define NAMES 4096

static char names[NAMES];
static SCARD_READERSTATE states[MOST];
static SCARDCONTEXT context;

static long long now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* Returns how many readers there are, 0 where the service does not tell. */
static DWORD list(void)
{
    DWORD length = sizeof names, count = 0;
    if (SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &context) != SCARD_S_SUCCESS)
        return 0;
    if (SCardListReaders(context, NULL, names, &length) == SCARD_S_SUCCESS) {
        memset(states, 0, sizeof states);
        for (const char *name = names; *name != '\0' && count < MOST; name += strlen(name) + 1)
            states[count++].szReader = name;
    }
    if (count == 0)
        SCardReleaseContext(context);
    return count;
}

/* Prints what comes until the service goes. */
static void follow(DWORD count)
{
    LONG code = SCardGetStatusChange(context, 0, states, count);
    while (code == SCARD_S_SUCCESS) {
        for (DWORD i = 0; i < count; i++)
            states[i].dwCurrentState = states[i].dwEventState & ~(DWORD)SCARD_STATE_CHANGED;
        code = SCardGetStatusChange(context, INFINITE, states, count);
        long long came = now();
        for (DWORD i = 0; code == SCARD_S_SUCCESS && i < count; i++)
            if (states[i].dwEventState & SCARD_STATE_PRESENT && !(states[i].dwCurrentState & SCARD_STATE_PRESENT))
                printf("%lld %s\n", came, states[i].szReader);
    }
    printf("%lld down\n", now());
    SCardReleaseContext(context);
}

int main(void)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int ready = 0;; ready = 1) {
        DWORD count;
        while ((count = list()) == 0)
            nanosleep(&pause, NULL);
        if (ready)
            printf("%lld up\n", now());
        else
            puts("ready");
        follow(count);
    }
}
