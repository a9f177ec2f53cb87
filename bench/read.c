/* A whole authenticated read of a social security card, as recorded from the desk, through winscard: what a C program
 * pays for it on this machine. It computes nothing: the security module does, and the halves of its 16 bytes are XORed.
 *
 * usage: read SCRIPT COUNT CARD-READER SAM-READER
 * Does the script COUNT times and prints the nanoseconds of each, one a line. The module's handle stays open, as the
 * daemon's does. The script has one step a line; `0` is the card, `1` the module:
 *     connect 0           SCardConnect, exclusive, and SCardStatus for the answer to reset
 *     begin 1 | end 1     a transaction
 *     send 0 9000 PIECE…  a command and the status word that must come back; pieces are hexadecimal digits, `rN` for
 *                         the data answered to the Nth send (from 0), `xN` for the XOR of their two halves of 8 bytes
 *     same rN xN          these must be equal: the card has proved itself
 *     disconnect 0        SCardDisconnect with a reset
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <winscard.h>

#define LONGEST 261
#define STEPS 512
#define PIECES 8
#define HALF 8

enum verb { CONNECT, BEGIN, END, SEND, SAME, DISCONNECT };
static const char *const VERBS[] = {"connect", "begin", "end", "send", "same", "disconnect"};

struct piece {
    char kind; /* h: these bytes, r: an answer, x: an answer folded */
    size_t number;
    size_t length;
    unsigned char bytes[LONGEST];
};

struct step {
    enum verb verb;
    int place;
    unsigned status;
    size_t count;
    struct piece pieces[PIECES];
};

struct answer {
    size_t length; /* without the status word */
    unsigned char bytes[LONGEST];
};

static struct step steps[STEPS];
static size_t step_count;
static struct answer answers[STEPS];
static SCARDCONTEXT context;
static SCARDHANDLE cards[2];
static DWORD protocols[2];
static char *readers[2];

static void fail(const char *what, const char *detail)
{
    fprintf(stderr, "%s: %s\n", what, detail);
    exit(1);
}

static void check(const char *call, LONG code)
{
    if (code != SCARD_S_SUCCESS) {
        fprintf(stderr, "%s: 0x%08lX\n", call, (unsigned long)code & 0xFFFFFFFFUL);
        exit(1);
    }
}

static void read_piece(const char *text, struct piece *piece)
{
    piece->kind = text[0] == 'r' || text[0] == 'x' ? text[0] : 'h';
    if (piece->kind != 'h') {
        piece->number = strtoul(text + 1, NULL, 10);
        if (piece->number >= STEPS)
            fail("no such answer", text);
        return;
    }
    piece->length = strlen(text) / 2;
    if (piece->length > LONGEST)
        fail("too long", text);
    for (size_t i = 0; i < piece->length; i++) {
        unsigned value;
        if (sscanf(text + 2 * i, "%2x", &value) != 1)
            fail("no hex", text);
        piece->bytes[i] = (unsigned char)value;
    }
}

static void read_step(char *line, struct step *step)
{
    char *word = strtok(line, " \n");
    for (step->verb = CONNECT; step->verb <= DISCONNECT; step->verb++)
        if (word != NULL && strcmp(word, VERBS[step->verb]) == 0)
            break;
    if (step->verb > DISCONNECT)
        fail("no such step", word == NULL ? "" : word);
    if (step->verb != SAME)
        step->place = atoi(strtok(NULL, " \n")) != 0;
    if (step->verb == SEND)
        step->status = (unsigned)strtoul(strtok(NULL, " \n"), NULL, 16);
    while ((word = strtok(NULL, " \n")) != NULL) {
        if (step->count == PIECES)
            fail("too many pieces", word);
        read_piece(word, &step->pieces[step->count++]);
    }
}

static void read_script(const char *path)
{
    static char line[4 * LONGEST];
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail(path, "cannot be read");
    while (fgets(line, sizeof line, file) != NULL) {
        if (step_count == STEPS)
            fail(path, "too many steps");
        read_step(line, &steps[step_count++]);
    }
    fclose(file);
}

/* Append a piece's bytes; returns how many. */
static size_t put(const struct piece *piece, unsigned char *to, size_t room)
{
    const struct answer *answer = &answers[piece->number];
    size_t length = piece->kind == 'h' ? piece->length : piece->kind == 'r' ? answer->length : HALF;
    if (length > room || (piece->kind == 'x' && answer->length != 2 * HALF))
        fail("piece", "does not fit");
    if (piece->kind == 'x')
        for (size_t i = 0; i < HALF; i++)
            to[i] = answer->bytes[i] ^ answer->bytes[HALF + i];
    else
        memcpy(to, piece->kind == 'h' ? piece->bytes : answer->bytes, length);
    return length;
}

static void open_card(int place)
{
    unsigned char atr[MAX_ATR_SIZE];
    char name[256];
    DWORD name_length = sizeof name, atr_length = sizeof atr, state;
    check("SCardConnect", SCardConnect(context, readers[place], SCARD_SHARE_EXCLUSIVE,
                                       SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1, &cards[place], &protocols[place]));
    check("SCardStatus",
          SCardStatus(cards[place], name, &name_length, &state, &protocols[place], atr, &atr_length));
}

static void transmit(const struct step *step, struct answer *answer)
{
    unsigned char command[LONGEST];
    size_t length = 0;
    for (size_t i = 0; i < step->count; i++)
        length += put(&step->pieces[i], command + length, sizeof command - length);
    DWORD received = sizeof answer->bytes;
    const SCARD_IO_REQUEST *pci = protocols[step->place] == SCARD_PROTOCOL_T0 ? SCARD_PCI_T0 : SCARD_PCI_T1;
    check("SCardTransmit",
          SCardTransmit(cards[step->place], pci, command, length, NULL, answer->bytes, &received));
    if (received < 2)
        fail("SCardTransmit", "the card has gone");
    answer->length = received - 2;
    unsigned status = (unsigned)answer->bytes[received - 2] << 8 | answer->bytes[received - 1];
    if (status != step->status) {
        fprintf(stderr, "%02X%02X: %04X instead of %04X\n", command[0], command[1], status, step->status);
        exit(1);
    }
}

static void compare(const struct step *step)
{
    unsigned char one[LONGEST], other[LONGEST];
    size_t length = put(&step->pieces[0], one, sizeof one);
    if (put(&step->pieces[1], other, sizeof other) != length || memcmp(one, other, length) != 0)
        fail("same", "the card is not genuine");
}

static void do_script(void)
{
    struct answer *answer = answers;
    for (const struct step *step = steps; step < steps + step_count; step++) {
        switch (step->verb) {
        case CONNECT:
            open_card(step->place);
            break;
        case BEGIN:
            check("SCardBeginTransaction", SCardBeginTransaction(cards[step->place]));
            break;
        case END:
            check("SCardEndTransaction", SCardEndTransaction(cards[step->place], SCARD_LEAVE_CARD));
            break;
        case SEND:
            transmit(step, answer++);
            break;
        case SAME:
            compare(step);
            break;
        case DISCONNECT:
            check("SCardDisconnect", SCardDisconnect(cards[step->place], SCARD_RESET_CARD));
            break;
        }
    }
}

static long long now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: %s SCRIPT COUNT CARD-READER SAM-READER\n", argv[0]);
        return 64;
    }
    read_script(argv[1]);
    long count = strtol(argv[2], NULL, 10);
    readers[0] = argv[3];
    readers[1] = argv[4];
    check("SCardEstablishContext", SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &context));
    open_card(1);
    for (long i = 0; i < count; i++) {
        long long began = now();
        do_script();
        printf("%lld\n", now() - began);
    }
    check("SCardDisconnect", SCardDisconnect(cards[1], SCARD_RESET_CARD));
    check("SCardReleaseContext", SCardReleaseContext(context));
    return 0;
}
