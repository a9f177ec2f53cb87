/* Clients that ask without end: on each of COUNT connections LINES requests are written at once, as many again as soon
 * as the daemon has taken them; with one line, as soon as it has answered. All answers are read.
 *
 * usage: flood SOCKET COUNT LINES
 * Prints `ready` when every connection has had an answer; ends with its standard input, and prints `ANSWERS NANOSECONDS`
 * since then.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define MOST 256
#define LINES 1000 /* at most */

static const char LINE[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"readers.list\"}\n";
static char lines[LINES * sizeof LINE], chunk[256 * 1024];

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static long long now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(int argc, char **argv)
{
    struct pollfd polls[MOST + 1];
    size_t written[MOST] = {0}, whole;
    int answered[MOST] = {0}, unanswered, count = argc == 4 ? atoi(argv[2]) : 0, many = argc == 4 ? atoi(argv[3]) : 0;
    long long answers = 0, began = 0;
    if (count < 1 || count > MOST || many < 1 || many > LINES)
        return 2;
    whole = many * (sizeof LINE - 1);
    for (int i = 0; i < LINES; i++)
        memcpy(lines + i * (sizeof LINE - 1), LINE, sizeof LINE - 1);
    for (int i = 0; i < count; i++) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        strncpy(address.sun_path, argv[1], sizeof address.sun_path - 1);
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
            fail(argv[1]);
        fcntl(fd, F_SETFL, O_NONBLOCK);
        polls[i] = (struct pollfd){fd, POLLIN | POLLOUT, 0};
    }
    polls[count] = (struct pollfd){STDIN_FILENO, POLLIN, 0};
    unanswered = count;
    while (!polls[count].revents) {
        poll(polls, count + 1, -1);
        for (int i = 0; i < count; i++) {
            if (polls[i].revents & POLLOUT && polls[i].events & POLLOUT) {
                ssize_t put = write(polls[i].fd, lines + written[i], whole - written[i]);
                if (put < 0 && errno != EAGAIN)
                    fail("write");
                written[i] = put > 0 ? (written[i] + put) % whole : written[i];
                if (many == 1)
                    polls[i].events = POLLIN;
            }
            if (polls[i].revents & (POLLIN | POLLHUP)) {
                ssize_t got = read(polls[i].fd, chunk, sizeof chunk);
                if (got == 0 || (got < 0 && errno != EAGAIN))
                    fail("closed");
                for (const char *at = chunk; got > 0 && (at = memchr(at, '\n', chunk + got - at)) != NULL; at++)
                    answers++;
                polls[i].events = POLLIN | POLLOUT;
                unanswered -= !answered[i];
                answered[i] = 1;
            }
        }
        if (unanswered == 0 && began == 0) {
            began = now();
            answers = 0;
            printf("ready\n");
            fflush(stdout);
        }
    }
    printf("%lld %lld\n", answers, now() - began);
    return 0;
}
