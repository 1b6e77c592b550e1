/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault_server.h - an HTTP/1.1 server on 127.0.0.1 that misbehaves by script, and sees what clients
 * do.
 *
 *     static const struct fault_step cut[] = {
 *         FAULT_TEXT("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"), FAULT_END
 *     };
 *     struct fault_server *s = fault_server_start();
 *     fault_server_script(s, "/cut", cut, 2);
 *
 * The i-th request for a path gets the i-th script given for it, the last one again and again. A
 * script that ends without FAULT_END or FAULT_RST leaves the connection open for the next request.
 * Each connection has a thread. Nothing here waits by the clock: gates and counts say when. It ends
 * the process when it can't do its work: no test can go on then.
 */
#ifndef GR_TESTS_SUPPORT_FAULT_SERVER_H
#define GR_TESTS_SUPPORT_FAULT_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#define FAULT_GATES 8

enum fault_op {
    FAULT_OP_SEND,  /* the bytes as they are */
    FAULT_OP_DRIP,  /* the bytes one by one, each in a packet of its own */
    FAULT_OP_CHUNK, /* the bytes as one chunk of Transfer-Encoding: chunked; none: the last chunk */
    FAULT_OP_FLOOD, /* the bytes again and again, `number` times or until the client goes */
    FAULT_OP_GATE,  /* waits until gate `number` is opened */
    FAULT_OP_HANG,  /* waits until the client goes */
    FAULT_OP_END,   /* closes the connection */
    FAULT_OP_RST    /* closes it with a reset */
};

struct fault_step {
    enum fault_op op;
    const char *data;
    size_t len; /* 0: up to the NUL */
    size_t number;
};

#define FAULT_TEXT(text)                                                                           \
    {                                                                                              \
        FAULT_OP_SEND, (text), 0, 0                                                                \
    }
#define FAULT_DRIP(text)                                                                           \
    {                                                                                              \
        FAULT_OP_DRIP, (text), 0, 0                                                                \
    }
#define FAULT_CHUNK(text)                                                                          \
    {                                                                                              \
        FAULT_OP_CHUNK, (text), 0, 0                                                               \
    }
#define FAULT_FLOOD(text, times)                                                                   \
    {                                                                                              \
        FAULT_OP_FLOOD, (text), 0, (times)                                                         \
    }
#define FAULT_GATE(number)                                                                         \
    {                                                                                              \
        FAULT_OP_GATE, "", 0, (number)                                                             \
    }
#define FAULT_HANG                                                                                 \
    {                                                                                              \
        FAULT_OP_HANG, "", 0, 0                                                                    \
    }
#define FAULT_END                                                                                  \
    {                                                                                              \
        FAULT_OP_END, "", 0, 0                                                                     \
    }
#define FAULT_RST                                                                                  \
    {                                                                                              \
        FAULT_OP_RST, "", 0, 0                                                                     \
    }
#define FAULT_STREAM_HEAD                                                                          \
    FAULT_TEXT("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"                            \
               "Transfer-Encoding: chunked\r\n\r\n")

enum fault_count {
    FAULT_ACCEPTED, /* connections */
    FAULT_REQUESTS, /* requests read to their end */
    FAULT_DROPPED,  /* clients that went away in the middle of an answer */
    FAULT_OPEN,     /* connections open now */
    FAULT_SENT,     /* bytes the system took from us */
    FAULT_STALLED,  /* times a client had taken nothing for 100 ms while we had more */
    FAULT_COUNTS
};

struct fault_server;

struct fault_server *fault_server_start(void);
void fault_server_stop(struct fault_server *s); /* NULL is fine; closes all, joins all threads */
const char *fault_server_url(const struct fault_server *s); /* "http://127.0.0.1:34567" */

/* fault_server_script adds a script for a path, without its query; "*" is for paths that have
 * none, "tls" answers (in plain text) a client that begins to speak TLS. steps are borrowed until
 * the server stops. */
void fault_server_script(struct fault_server *s, const char *path, const struct fault_step *steps,
                         size_t count);
/* fault_server_reply adds a plain answer with Content-Length. headers: "A: b\r\nC: d\r\n" or "". */
void fault_server_reply(struct fault_server *s, const char *path, int status, const char *headers,
                        const char *body);
void fault_server_open(struct fault_server *s, size_t gate); /* lets all who wait there go on */

size_t fault_server_count(struct fault_server *s, enum fault_count what);
/* fault_server_wait waits until a count has reached at_least. False after TEST_WAIT_MS. */
bool fault_server_wait(struct fault_server *s, enum fault_count what, size_t at_least);
/* fault_server_wait_open waits until exactly `count` connections are open. */
bool fault_server_wait_open(struct fault_server *s, size_t count);
/* fault_server_request returns the index-th request, head and body, as a new
 * string: free() it. NULL: none. */
char *fault_server_request(struct fault_server *s, size_t index);

#endif
