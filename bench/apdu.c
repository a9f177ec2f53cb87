/* One command, again and again, through winscard: what a C program pays on this machine.
 *
 * usage: apdu READER COUNT HEX-COMMAND
 * Connects exclusively, sends the command COUNT times, prints the nanoseconds of each exchange, one a line.
 * usage: apdu READER COUNT HEX-COMMAND each
 * Connects, asks for the answer to reset, sends the command once and disconnects, COUNT times: the nanoseconds of all.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <winscard.h>

#define LONGEST 261

static void check(const char *call, LONG code)
{
    if (code != SCARD_S_SUCCESS) {
        fprintf(stderr, "%s: 0x%08lX\n", call, (unsigned long)code & 0xFFFFFFFFUL);
        exit(1);
    }
}

static size_t from_hex(const char *text, unsigned char *bytes)
{
    size_t count = strlen(text) / 2;
    if (count > LONGEST) {
        fprintf(stderr, "a command has at most %d bytes\n", LONGEST);
        exit(64);
    }
    for (size_t i = 0; i < count; i++) {
        unsigned value;
        if (sscanf(text + 2 * i, "%2x", &value) != 1) {
            fprintf(stderr, "no hex: %s\n", text);
            exit(64);
        }
        bytes[i] = (unsigned char)value;
    }
    return count;
}

static long long now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static SCARDHANDLE open_card(SCARDCONTEXT context, const char *reader, DWORD *protocol)
{
    SCARDHANDLE card;
    check("SCardConnect", SCardConnect(context, reader, SCARD_SHARE_EXCLUSIVE,
                                       SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1, &card, protocol));
    return card;
}

static void ask_atr(SCARDHANDLE card)
{
    unsigned char atr[MAX_ATR_SIZE];
    char name[256];
    DWORD name_length = sizeof name, atr_length = sizeof atr, state, protocol;
    check("SCardStatus", SCardStatus(card, name, &name_length, &state, &protocol, atr, &atr_length));
}

int main(int argc, char **argv)
{
    int each = argc == 5 && strcmp(argv[4], "each") == 0;
    if (argc != 4 && !each) {
        fprintf(stderr, "usage: %s READER COUNT HEX-COMMAND [each]\n", argv[0]);
        return 64;
    }
    long count = strtol(argv[2], NULL, 10);
    unsigned char command[LONGEST];
    size_t length = from_hex(argv[3], command);
    long long *took = calloc((size_t)count, sizeof *took);
    if (took == NULL)
        return 71;

    SCARDCONTEXT context;
    SCARDHANDLE card = 0;
    DWORD protocol = 0;
    check("SCardEstablishContext", SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &context));
    if (!each)
        card = open_card(context, argv[1], &protocol);
    for (long i = 0; i < count; i++) {
        unsigned char response[LONGEST];
        DWORD received = sizeof response;
        long long began = now();
        if (each) {
            card = open_card(context, argv[1], &protocol);
            ask_atr(card);
        }
        const SCARD_IO_REQUEST *pci = protocol == SCARD_PROTOCOL_T0 ? SCARD_PCI_T0 : SCARD_PCI_T1;
        LONG code = SCardTransmit(card, pci, command, length, NULL, response, &received);
        check("SCardTransmit", code);
        if (each)
            check("SCardDisconnect", SCardDisconnect(card, SCARD_LEAVE_CARD));
        took[i] = now() - began;
        if (received < 2 || response[received - 2] != 0x90) {
            fprintf(stderr, "the card did not answer 90xx\n");
            return 1;
        }
    }
    if (!each)
        check("SCardDisconnect", SCardDisconnect(card, SCARD_LEAVE_CARD));
    check("SCardReleaseContext", SCardReleaseContext(context));
    for (long i = 0; i < count; i++)
        printf("%lld\n", took[i]);
    return 0;
}
