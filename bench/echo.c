/* The least card for a reader of vpcd (vsmartcard 3.3), in C: it says back what it was told, and 9000.
 *
 * usage: echo PORT
 * Goes in at once, is taken out with its process. The wire is described in simulators/cardsim/links/vpcd.py.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LENGTH 2
#define LONGEST 65535

static const unsigned char ATR[] = {0x3B, 0x02, 0x14, 0x50};

static void acknowledge(int link)
{
    int on = 1;
    /* the kernel forgets it; without it each command takes 44 ms */
    setsockopt(link, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

static int receive(int link, unsigned char *bytes, size_t count)
{
    while (count > 0) {
        ssize_t got = recv(link, bytes, count, 0);
        if (got <= 0)
            return 0;
        bytes += got;
        count -= (size_t)got;
    }
    return 1;
}

static int answer(int link, unsigned char *framed, size_t length)
{
    framed[0] = (unsigned char)(length >> 8);
    framed[1] = (unsigned char)length;
    return send(link, framed, LENGTH + length, MSG_NOSIGNAL) == (ssize_t)(LENGTH + length);
}

int main(int argc, char **argv)
{
    static unsigned char framed[LENGTH + LONGEST + 2];
    if (argc != 2) {
        fprintf(stderr, "usage: %s PORT\n", argv[0]);
        return 64;
    }
    struct sockaddr_in place = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(argv[1]))};
    place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int link = socket(AF_INET, SOCK_STREAM, 0);
    int on = 1;
    if (link < 0 || connect(link, (struct sockaddr *)&place, sizeof place) != 0) {
        perror("connect");
        return 1;
    }
    setsockopt(link, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    acknowledge(link);
    for (int ok = 1; ok && receive(link, framed, LENGTH); acknowledge(link)) {
        size_t length = (size_t)framed[0] << 8 | framed[1];
        unsigned char *body = framed + LENGTH;
        if (!receive(link, body, length))
            break;
        if (length > 1) {
            memcpy(body + length, "\x90\x00", 2);
            ok = answer(link, framed, length + 2);
        } else if (length == 1 && body[0] == 0x04) {
            memcpy(body, ATR, sizeof ATR);
            ok = answer(link, framed, sizeof ATR);
        }
    }
    return 0;
}
