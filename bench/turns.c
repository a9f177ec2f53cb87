/* One command to several cards in turns, through winscard, from one program: what the cards differ in, and nothing else.
 *
 * usage: turns ROUNDS COUNT HEX-COMMAND READER...
 * Connects exclusively to each. In each round it sends every card the command COUNT times in a row, in a new order of the
 * cards; a few before them do not count. At the end it prints a line of nanoseconds for each card of each round, in the
 * order given: whoever reads it has nothing to do before.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <winscard.h>

#define LONGEST 261
#define MOST 16
#define UNCOUNTED 5

struct terminal {
    SCARDCONTEXT context;
    SCARDHANDLE card;
    DWORD protocol;
    long long *took;
};

static void check(const char *call, LONG code)
{
    if (code != SCARD_S_SUCCESS) {
        fprintf(stderr, "%s: 0x%08lX\n", call, (unsigned long)code & 0xFFFFFFFFUL);
        exit(1);
    }
}

static long long now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static DWORD from_hex(const char *text, unsigned char *bytes)
{
    DWORD count = 0;
    for (unsigned value; count < LONGEST && sscanf(text + 2 * count, "%2x", &value) == 1; count++)
        bytes[count] = (unsigned char)value;
    return count;
}

static void send(const struct terminal *to, const unsigned char *command, DWORD length)
{
    unsigned char response[LONGEST];
    DWORD received = sizeof response;
    const SCARD_IO_REQUEST *pci = to->protocol == SCARD_PROTOCOL_T0 ? SCARD_PCI_T0 : SCARD_PCI_T1;
    check("SCardTransmit", SCardTransmit(to->card, pci, command, length, NULL, response, &received));
    if (received < 2 || response[received - 2] != 0x90) {
        fprintf(stderr, "the card did not answer 90xx\n");
        exit(1);
    }
}

static void shuffle(int *order, int count)
{
    for (int i = count - 1; i > 0; i--) {
        int other = rand() % (i + 1), kept = order[i];
        order[i] = order[other];
        order[other] = kept;
    }
}

int main(int argc, char **argv)
{
    static struct terminal terminals[MOST];
    unsigned char command[LONGEST];
    int order[MOST], cards = argc - 4;
    if (cards < 1 || cards > MOST) {
        fprintf(stderr, "usage: %s ROUNDS COUNT HEX-COMMAND READER... (at most %d)\n", argv[0], MOST);
        return 64;
    }
    long rounds = strtol(argv[1], NULL, 10), count = strtol(argv[2], NULL, 10);
    DWORD length = from_hex(argv[3], command);
    for (int i = 0; i < cards; i++) {
        struct terminal *t = &terminals[i];
        order[i] = i;
        t->took = calloc((size_t)(rounds * count), sizeof *t->took);
        if (t->took == NULL)
            return 71;
        /* a context each: pcscd gives each a thread of its own */
        check("SCardEstablishContext", SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &t->context));
        check("SCardConnect", SCardConnect(t->context, argv[4 + i], SCARD_SHARE_EXCLUSIVE,
                                           SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1, &t->card, &t->protocol));
    }
    for (long round = 0; round < rounds; round++) {
        shuffle(order, cards);
        for (int i = 0; i < cards; i++) {
            const struct terminal *t = &terminals[order[i]];
            for (int n = 0; n < UNCOUNTED; n++)
                send(t, command, length);
            for (long n = 0; n < count; n++) {
                long long began = now();
                send(t, command, length);
                t->took[round * count + n] = now() - began;
            }
        }
    }
    for (long round = 0; round < rounds; round++)
        for (int i = 0; i < cards; i++)
            for (long n = 0; n < count; n++)
                printf("%lld%c", terminals[i].took[round * count + n], n + 1 < count ? ' ' : '\n');
    for (int i = 0; i < cards; i++)
        check("SCardReleaseContext", SCardReleaseContext(terminals[i].context));
    return 0;
}
