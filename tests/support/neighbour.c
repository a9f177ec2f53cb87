/* Another program on the same pcscd: does with a card what it is told on standard input, one order a line, and answers
 * each with one line: `ok` and what came of it, or `no` and the code of PC/SC. Exits at the end of its input, in whatever
 * it is in the middle of: pcscd then has to clear up after it, as after any program that dies. An order that it does not
 * know ends it too. `once` before an order: one call of PC/SC, where it would insist otherwise. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <winscard.h>

#define BYTES 258
#define PROTOCOLS (SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1)
#define PATIENCE_MS 3000
#define PAUSE_US 5000

static SCARDCONTEXT context;
static SCARDHANDLE card;
static DWORD protocol;

static unsigned char response[BYTES];
static DWORD received;
static int patience_ms;

static void answer(LONG code) {
    if (code == SCARD_S_SUCCESS) {
        fputs(received ? "ok " : "ok", stdout);
        for (DWORD index = 0; index < received; index++)
            printf("%02X", response[index]);
        puts("");
    } else
        printf("no %08lX\n", (unsigned long)code & 0xFFFFFFFF);
    received = 0;
    fflush(stdout);
}

/* Does something as long as it is refused because somebody else has the card, as impatient programs do: so it comes
 * between two of the others' transactions. */
static LONG insist(LONG (*act)(const char *), const char *what, LONG (*worth_it)(LONG)) {
    LONG code = SCARD_E_TIMEOUT;
    for (int waited = 0; waited <= patience_ms * 1000; waited += PAUSE_US) {
        code = act(what);
        if (!worth_it(code) || !patience_ms)
            return code;
        usleep(PAUSE_US);
    }
    return code;
}

static LONG failed(LONG code) { return code != SCARD_S_SUCCESS; }

static LONG refused(LONG code) { return code == SCARD_E_SHARING_VIOLATION; }

static LONG connect_as(const char *reader, DWORD share) {
    LONG code = SCardConnect(context, reader, share, PROTOCOLS, &card, &protocol);
    if (code != SCARD_S_SUCCESS)
        card = 0;
    return code;
}

static LONG connect_shared(const char *reader) { return connect_as(reader, SCARD_SHARE_SHARED); }

static LONG connect_exclusive(const char *reader) { return connect_as(reader, SCARD_SHARE_EXCLUSIVE); }

static LONG reset(const char *unused) {
    (void)unused;
    return SCardReconnect(card, SCARD_SHARE_SHARED, PROTOCOLS, SCARD_RESET_CARD, &protocol);
}

static LONG transmit(const char *hex) {
    unsigned char command[BYTES];
    DWORD length = 0;
    unsigned byte;
    for (; sscanf(hex, "%2x", &byte) == 1 && length < sizeof command; hex += 2)
        command[length++] = (unsigned char)byte;
    received = sizeof response;
    const SCARD_IO_REQUEST *header = protocol == SCARD_PROTOCOL_T0 ? SCARD_PCI_T0 : SCARD_PCI_T1;
    LONG code = SCardTransmit(card, header, command, length, NULL, response, &received);
    if (code != SCARD_S_SUCCESS)
        received = 0;
    return code;
}

static void obey(const char *order, const char *rest) {
    patience_ms = PATIENCE_MS;
    if (!strcmp(order, "once")) {
        static char what[16];
        int used = 0;
        if (sscanf(rest, "%15s %n", what, &used) != 1)
            exit(EXIT_FAILURE);
        order = what;
        rest += used;
        patience_ms = 0;
    }
    if (!strcmp(order, "exclusive"))
        answer(insist(connect_exclusive, rest, failed));
    else if (!strcmp(order, "shared"))
        answer(insist(connect_shared, rest, failed));
    else if (!strcmp(order, "begin"))
        answer(SCardBeginTransaction(card));
    else if (!strcmp(order, "end"))
        answer(SCardEndTransaction(card, SCARD_LEAVE_CARD));
    else if (!strcmp(order, "reset"))
        answer(insist(reset, rest, refused));
    else if (!strcmp(order, "leave"))
        answer(SCardDisconnect(card, SCARD_LEAVE_CARD));
    else if (!strcmp(order, "transmit"))
        answer(insist(transmit, rest, refused));
    else
        exit(EXIT_FAILURE);
}

int main(void) {
    char line[1024], order[16];
    if (SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &context) != SCARD_S_SUCCESS)
        return EXIT_FAILURE;
    while (fgets(line, sizeof line, stdin)) {
        int used = 0;
        line[strcspn(line, "\n")] = '\0';
        if (sscanf(line, "%15s %n", order, &used) == 1)
            obey(order, line + used);
    }
    _exit(EXIT_SUCCESS);
}
