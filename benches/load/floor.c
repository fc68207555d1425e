/*
 * The floor that capchat's server is measured against: an epoll loop that echoes what it receives, and does nothing
 * else. Prints "listening on 127.0.0.1:PORT".
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* BUFFER and BACKLOG have the same values as in capchat. */
enum { BUFFER = 512 * 1024, BACKLOG = 4096, EVENTS = 1024 };

struct client {
    int socket;
    size_t start, length; /* of the unsent bytes; nothing is read before they are sent */
    char *unsent;
};

static char buffer[BUFFER];

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void leave(struct client *client)
{
    close(client->socket);
    free(client->unsent);
    free(client);
}

/* Sends the unsent bytes. Returns -1 if the client is gone, 0 if it takes no more, and otherwise 1. */
static int send_unsent(struct client *client)
{
    while (client->length > 0) {
        ssize_t sent = send(client->socket, client->unsent + client->start, client->length, MSG_NOSIGNAL);
        if (sent < 0)
            return errno == EAGAIN ? 0 : -1;
        client->start += sent;
        client->length -= sent;
    }
    free(client->unsent);
    client->unsent = NULL;
    return 1;
}

/* Reads up to EOF if the client has closed its sending side: no edge will follow. Returns as send_unsent does. */
static int echo(struct client *client, int ended)
{
    for (;;) {
        int sent = send_unsent(client);
        if (sent <= 0)
            return sent;
        ssize_t length = recv(client->socket, buffer, BUFFER, 0);
        if (length <= 0)
            return length < 0 && errno == EAGAIN ? 0 : -1;
        ssize_t at_once = send(client->socket, buffer, length, MSG_NOSIGNAL);
        if (at_once < 0 && errno != EAGAIN)
            return -1;
        if (at_once < 0)
            at_once = 0;
        if (at_once < length) {
            client->start = 0;
            client->length = length - at_once;
            client->unsent = malloc(client->length);
            memcpy(client->unsent, buffer + at_once, client->length);
        } else if (length < BUFFER && !ended) {
            return 0; /* the socket is empty, or an edge will follow */
        }
    }
}

int main(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);

    int one = 1;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, length) < 0 || listen(listener, BACKLOG) < 0)
        fail("listen");
    getsockname(listener, (struct sockaddr *)&address, &length);
    printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);

    int epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN}, events[EVENTS];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            struct client *client = events[i].data.ptr;
            if (client) {
                if (echo(client, events[i].events & EPOLLRDHUP) < 0)
                    leave(client);
                continue;
            }
            int socket;
            while ((socket = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                client = calloc(1, sizeof *client);
                client->socket = socket;
                event = (struct epoll_event){.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = client};
                epoll_ctl(epoll, EPOLL_CTL_ADD, socket, &event);
            }
        }
    }
}
