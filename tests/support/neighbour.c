/* Another program on the same pcscd: does with a card what it is told on standard input, one order a line, and answers
 * each with one line: `ok` and what came of it, or `no` and the code of PC/SC. Exits at the end of its input, in whatever
 * it is in the middle of: pcscd then has to clear up after it, as after any program that dies. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <winscard.h>

#define BYTES 258
#define PATIENCE_MS 3000
#define PAUSE_US 5000

static SCARDCONTEXT context;
static SCARDHANDLE card;
static DWORD protocol;

static void answer(LONG code) {
    if (code == SCARD_S_SUCCESS)
        puts("ok");
    else
        printf("no %08lX\n", (unsigned long)code & 0xFFFFFFFF);
    fflush(stdout);
}

/* Connects, however often that takes, as programs do that wait for a card. */
static LONG connect_to(const char *reader, DWORD share) {
    LONG code = SCARD_E_TIMEOUT;
    for (int waited = 0; waited < PATIENCE_MS * 1000; waited += PAUSE_US) {
        code = SCardConnect(context, reader, share, SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1, &card, &protocol);
        if (code == SCARD_S_SUCCESS)
            return code;
        usleep(PAUSE_US);
    }
    return code;
}

static void transmit(const char *hex) {
    unsigned char command[BYTES], response[BYTES];
    DWORD length = 0, received = sizeof response;
    unsigned byte;
    for (; sscanf(hex, "%2x", &byte) == 1 && length < sizeof command; hex += 2)
        command[length++] = (unsigned char)byte;
    const SCARD_IO_REQUEST *header = protocol == SCARD_PROTOCOL_T0 ? SCARD_PCI_T0 : SCARD_PCI_T1;
    LONG code = SCardTransmit(card, header, command, length, NULL, response, &received);
    if (code != SCARD_S_SUCCESS) {
        answer(code);
        return;
    }
    fputs("ok ", stdout);
    for (DWORD index = 0; index < received; index++)
        printf("%02X", response[index]);
    puts("");
    fflush(stdout);
}

static void obey(const char *order, const char *rest) {
    if (!strcmp(order, "shared"))
        answer(connect_to(rest, SCARD_SHARE_SHARED));
    else if (!strcmp(order, "exclusive"))
        answer(connect_to(rest, SCARD_SHARE_EXCLUSIVE));
    else if (!strcmp(order, "begin"))
        answer(SCardBeginTransaction(card));
    else if (!strcmp(order, "end"))
        answer(SCardEndTransaction(card, SCARD_LEAVE_CARD));
    else if (!strcmp(order, "reset"))
        answer(SCardReconnect(card, SCARD_SHARE_SHARED, SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1, SCARD_RESET_CARD, &protocol));
    else if (!strcmp(order, "leave"))
        answer(SCardDisconnect(card, SCARD_LEAVE_CARD));
    else if (!strcmp(order, "transmit"))
        transmit(rest);
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
