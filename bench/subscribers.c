/* Clients that subscribe and read raw bytes: what arrives is counted, and looked into as little as can be.
 *
 * usage: subscribers SOCKET COUNT GLOB...
 * Opens COUNT connections, subscribes on each to what comes from now on of the types GLOB (the n-th takes the n-th glob,
 * and again from the first), and prints `ready`. For each number N on standard input it waits until every connection
 * has had N more lines, and prints `NANOSECONDS SEQUENCE SAME BYTES`: when the last had them, by CLOCK_MONOTONIC; the
 * cursor's number in the last line of the first connection; on how many connections it is that number; bytes received.
 * Ends with its standard input; 1 if a connection is closed or gets more lines than were waited for.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define MOST 1024
#define CHUNK (256 * 1024)
#define TAIL 4096

struct client {
    int fd;
    long long lines;
    size_t kept;
    char tail[TAIL]; /* the end of what it had last */
};

static struct client clients[MOST];
static char chunk[CHUNK];
static long long bytes, late;
static long long wanted;
static int count, waiting;

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

static int subscribed(const char *path, const char *glob)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char line[1024];
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        fail(path);
    int length = snprintf(line, sizeof line,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"events.subscribe\",\"params\":{\"types\":[\"%s\"]}}\n", glob);
    if (write(fd, line, length) != length)
        fail("subscribe");
    for (char last = 0; last != '\n';)
        if (read(fd, &last, 1) != 1)
            fail("subscribe");
    return fd;
}

static void keep(struct client *c, const char *data, size_t length)
{
    if (length >= TAIL) {
        memcpy(c->tail, data + length - TAIL, TAIL);
        c->kept = TAIL;
        return;
    }
    if (c->kept + length > TAIL) {
        size_t over = c->kept + length - TAIL;
        memmove(c->tail, c->tail + over, c->kept - over);
        c->kept -= over;
    }
    memcpy(c->tail + c->kept, data, length);
    c->kept += length;
}

static void take(struct client *c)
{
    ssize_t got = read(c->fd, chunk, CHUNK);
    if (got <= 0)
        fail("closed");
    long long before = c->lines;
    bytes += got;
    for (const char *at = chunk; (at = memchr(at, '\n', chunk + got - at)) != NULL; at++)
        c->lines++;
    keep(c, chunk, got);
    if (before < wanted && c->lines >= wanted) {
        late = now();
        waiting--;
    }
    if (wanted > 0 && c->lines > wanted) {
        fprintf(stderr, "%lld lines where %lld were told\n", c->lines, wanted);
        exit(1);
    }
}

static long long sequence(const struct client *c)
{
    static const char key[] = "\"cursor\":\"";
    const char *end = c->tail + c->kept, *found = NULL, *at = c->tail;
    while ((at = memmem(at, end - at, key, sizeof key - 1)) != NULL)
        found = at++;
    if (found == NULL)
        return -1;
    const char *dot = memchr(found, '.', end - found);
    return dot == NULL ? -1 : atoll(dot + 1);
}

int main(int argc, char **argv)
{
    struct epoll_event events[256];
    char order[64];
    int poll = epoll_create1(0), ended = 0, asked = 0;
    if (argc < 4 || (count = atoi(argv[2])) < 1 || count > MOST)
        return 2;
    for (int i = 0; i < count; i++) {
        clients[i].fd = subscribed(argv[1], argv[3 + i % (argc - 3)]);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &clients[i]};
        if (epoll_ctl(poll, EPOLL_CTL_ADD, clients[i].fd, &event) < 0)
            fail("epoll");
    }
    struct epoll_event input = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(poll, EPOLL_CTL_ADD, STDIN_FILENO, &input) < 0)
        fail("epoll");
    printf("ready\n");
    fflush(stdout);
    while (!ended) {
        int n = epoll_wait(poll, events, 256, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr != NULL) {
                take(events[i].data.ptr);
                continue;
            }
            ssize_t got = read(STDIN_FILENO, order, sizeof order - 1);
            if (got <= 0) {
                ended = 1;
                break;
            }
            order[got] = 0;
            wanted += atoll(order);
            waiting = 0;
            for (int k = 0; k < count; k++)
                waiting += clients[k].lines < wanted;
            asked = 1;
        }
        if (asked && waiting == 0) {
            int same = 0;
            for (int k = 0; k < count; k++)
                same += sequence(&clients[k]) == sequence(&clients[0]);
            printf("%lld %lld %d %lld\n", late, sequence(&clients[0]), same, bytes);
            fflush(stdout);
            asked = 0;
        }
    }
    return 0;
}
