/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd.h - a real etcd for a test: a process of its own with an empty data folder, which outlives kill -9.
 */
#ifndef GR_TESTS_SUPPORT_ETCD_H
#define GR_TESTS_SUPPORT_ETCD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct test_etcd {
    pid_t pid;
    char url[64];      /* "http://127.0.0.1:34567" */
    char peer_url[64]; /* what members of etcd would use */
    char folder[64];
    char tls_url[64]; /* "https://127.0.0.1:34568", with test_etcd_open_tls; else "" */
    char listen[160];
};

/* test_etcd_there tells whether etcd is installed; if not it says so on standard error. */
bool test_etcd_there(void);
/* test_etcd_open makes the folder and starts it; test_etcd_close ends it and deletes the folder. */
void test_etcd_open(struct test_etcd *e);
void test_etcd_close(struct test_etcd *e);
/* test_etcd_open_tls has it listen at tls_url, too, with a certificate that it has signed itself, which is
 * FOLDER.pem. false: there is no openssl, which is said on standard error. */
bool test_etcd_open_tls(struct test_etcd *e);
/* test_etcd_start starts it again and waits until it answers; test_etcd_kill is kill -9. */
void test_etcd_start(struct test_etcd *e);
void test_etcd_kill(struct test_etcd *e);
/* test_etcd_wipe deletes its data, while it is down. */
void test_etcd_wipe(struct test_etcd *e);
/* test_etcd_post asks it something; the answer's body, a new string: free() it. NULL: it is away. */
char *test_etcd_post(const struct test_etcd *e, const char *path, const char *json);

#endif
