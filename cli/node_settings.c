/* SPDX-License-Identifier: Apache-2.0 */
/* node_settings.c - from options and a chain file's "node" to gr_node_configure. */
#include "cli/node_settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/log_lines.h"
#include "runtime/base/alloc.h"

#define SECRET_MOST 1024 /* as the library has it */

static const struct gri_chain_key node_keys[] = {
    /* in the order of gri_node_setting */
    { "cluster", GRI_ARG_TEXT, false, 0, 0, "nodes of other clusters are refused; default none" },
    { "name", GRI_ARG_TEXT, false, 0, 0,
      "of this node, unique in its cluster: a later start of the same name takes its links over" },
    { "secret_file", GRI_ARG_TEXT, false, 0, 0,
      "a file with what both ends of a link must know, 16 to 1024 bytes; the last line's end is no part" },
    { "secret_env", GRI_ARG_VARIABLE, false, 0, 0, "the variable that holds it instead" },
    { "tls_cert", GRI_ARG_TEXT, false, 0, 0,
      "a file in PEM: our certificate, those between it and the CA, its key; to listen at tls+tcp" },
    { "tls_ca", GRI_ARG_TEXT, false, 0, 0,
      "a file in PEM: whom to trust; to call tls+tcp; who listens with it wants a certificate of callers" },
    { "tls_name", GRI_ARG_TEXT, false, 0, 0,
      "what the certificates of those who are called must be for; default the URL's host" },
    { "insecure", GRI_ARG_BOOL, false, 0, 0,
      "listen beyond this machine without encryption, or to anybody; default false" },
    { "admin", GRI_ARG_TEXT, false, 0, 0,
      "what others may do to a process that serves: full, read (ps, top and info) or off; default full" },
    { "health", GRI_ARG_TEXT, false, 0, 0,
      "the path of a local socket that tells how a process that serves does" },
    { "health_stuck", GRI_ARG_REAL, false, 0.1, 86400,
      "seconds without anything done, though work waits, after which it says stuck; default 30" },
    { "etcd", GRI_ARG_TEXT, false, 0, 0,
      "the URL of an etcd, or several with commas between them, where nodes find each other" },
    { "etcd_ttl_ms", GRI_ARG_INT, false, 2000, 86400000.0,
      "how long etcd remembers a node that is gone; whole seconds; default 10000" },
    { "etcd_user", GRI_ARG_TEXT, false, 0, 0, "to sign in with" },
    { "etcd_password_env", GRI_ARG_VARIABLE, false, 0, 0, "the variable that holds the password" },
    { "etcd_ca", GRI_ARG_TEXT, false, 0, 0, "a file in PEM: whom to trust; default the system's" },
    { "secret", GRI_ARG_SECRET, false, 0, 0,
      "name the file or the environment variable that holds it with secret_file or secret_env" },
};

const struct gri_chain_kind gri_chain_node_kind = {
    .name = "node",
    .help = "the file's own key: what this process tells other nodes, and asks of them",
    .keys = node_keys,
    .key_count = sizeof(node_keys) / sizeof(node_keys[0])
};

static const char *const option_names[GRI_NODE_SETTINGS] = { "--cluster",     "--node-name",
                                                             "--secret-file", "--secret-env",
                                                             "--tls-cert",    "--tls-ca",
                                                             "--tls-name" };

/* A setting, and who says so. */
struct setting {
    char *value; /* owned; NULL: not set. A file's path is as seen from here */
    struct gri_chain_place at;
    bool from_file;
};

struct settings {
    const char *path; /* borrowed; of the chain file */
    struct setting all[GRI_NODE_SETTINGS];
    char secret[SECRET_MOST + 2]; /* what is too long shows */
    bool insecure;
};

static bool is_path(size_t i)
{
    return i == GRI_NODE_SECRET_FILE || i == GRI_NODE_TLS_CERT || i == GRI_NODE_TLS_CA;
}

/* blame says what is wrong with a setting. */
static int blame(const struct settings *s, size_t i, const char *what, const char *which)
{
    const struct setting *one = &s->all[i];

    if (one->from_file) /* as all mistakes in a chain file */
        (void)fprintf(stderr, "%s:%zu:%zu: %s: %s%s\n", s->path, one->at.line, one->at.column,
                      node_keys[i].name, what, which);
    else
        gri_say("%s: %s%s", option_names[i], what, which);
    return GRI_EXIT_USAGE;
}

static int no_memory(void)
{
    gri_say("out of memory");
    return GRI_EXIT_FAILED;
}

/* ---- collecting ------------------------------------------------------------------------------ */

/* from_folder returns a path of the chain file's, as seen from here. */
static char *from_folder(const struct gri_chain_file *f, const char *path)
{
    struct gri_strbuf whole = GRI_STRBUF_INIT;
    char *taken;

    if (path[0] != '/' && strcmp(f->folder, "./") != 0)
        gri_strbuf_adds(&whole, f->folder);
    gri_strbuf_adds(&whole, path);
    taken = gri_strbuf_take(&whole);
    gri_strbuf_fini(&whole);
    return taken;
}

/* file_says returns what the file has for a setting; NULL: nothing. What a node of the file says for itself wins
 * over what it says for all. */
static const struct gri_chain_node *file_says(const struct gri_chain_file *f, size_t i)
{
    const struct gri_deploy_node *here = f != NULL ? f->deploy.here : NULL;
    const struct gri_chain_node *own =
        here != NULL ? gri_chain_get(here->keys, node_keys[i].name) : NULL;

    if (here != NULL && i == GRI_NODE_NAME)
        return here->key;
    return own != NULL || f == NULL ? own : gri_chain_get(f->node, node_keys[i].name);
}

/* collect_one takes a setting from the options or else from the file. false: out of memory. */
static bool collect_one(struct settings *s, size_t i, const char *option,
                        const struct gri_chain_file *f)
{
    const struct gri_chain_node *n = option == NULL ? file_says(f, i) : NULL;

    if (option == NULL && n == NULL)
        return true;
    s->all[i].from_file = n != NULL;
    if (n == NULL) {
        s->all[i].value = gri_strdup(option);
    } else {
        s->all[i].at = n->at;
        s->all[i].value =
            is_path(i) ? from_folder(f, gri_chain_text(n)) : gri_strdup(gri_chain_text(n));
    }
    return s->all[i].value != NULL;
}

/* choose_secret keeps one of the two sources: an option's. Returns -1, or an exit code. */
static int choose_secret(struct settings *s)
{
    struct setting *file = &s->all[GRI_NODE_SECRET_FILE], *env = &s->all[GRI_NODE_SECRET_ENV];
    struct setting *other = file->from_file ? file : env;

    if (file->value == NULL || env->value == NULL)
        return -1;
    if (file->from_file == env->from_file)
        return blame(s, GRI_NODE_SECRET_ENV,
                     "the secret comes from a file already; one of both was expected", "");
    gri_free(other->value);
    other->value = NULL;
    return -1;
}

static int collect(struct settings *s, const struct gri_options *o, const struct gri_chain_file *f)
{
    const struct gri_chain_node *insecure =
        f != NULL && f->node != NULL ? gri_chain_get(f->node, "insecure") : NULL;

    s->insecure = o->node.insecure;
    if (insecure != NULL && !s->insecure)
        (void)gri_chain_to_bool(insecure, &s->insecure);
    for (size_t i = 0; i < GRI_NODE_SETTINGS; i++) {
        if (!collect_one(s, i, o->node.given[i], f))
            return no_memory();
    }
    return choose_secret(s);
}

/* ---- of a process that serves ---------------------------------------------------------------- */

bool gri_admin_mode_read(const struct gri_chain_node *n, enum gri_admin_mode *ret)
{
    static const char *const modes[] = { "full", "read", "off" };

    for (size_t i = 0; i < 3; i++) {
        if (strcmp(gri_chain_text(n), modes[i]) == 0) {
            *ret = (enum gri_admin_mode)i;
            return true;
        }
    }
    return false;
}

/* blame_key says what is wrong with a key that has no option. */
static int blame_key(const char *path, const struct gri_chain_node *n, const char *what)
{
    (void)fprintf(stderr, "%s:%zu:%zu: %s\n", path, n->at.line, n->at.column, what);
    return GRI_EXIT_USAGE;
}

int gri_served_settings_read(struct gri_served_settings *s, const struct gri_options *o,
                             const struct gri_chain_file *file)
{
    const struct gri_chain_node *node = file->node;
    const struct gri_chain_node *admin = node != NULL ? gri_chain_get(node, "admin") : NULL;
    const struct gri_chain_node *health = node != NULL ? gri_chain_get(node, "health") : NULL;
    const struct gri_chain_node *stuck = node != NULL ? gri_chain_get(node, "health_stuck") : NULL;
    double seconds = 0;

    *s = (struct gri_served_settings){ .stuck_ms = o->health_stuck_ms };
    if (admin != NULL && !gri_admin_mode_read(admin, &s->admin))
        return blame_key(o->args[0], admin, "admin: full, read or off was expected");
    if (stuck != NULL && (!gri_chain_to_real(stuck, &seconds) || seconds < 0.1 || seconds > 86400))
        return blame_key(o->args[0], stuck,
                         "health_stuck: seconds from 0.1 to 86400 were expected");
    if (s->stuck_ms == 0)
        s->stuck_ms = (int64_t)(seconds * 1000);
    if (o->health != NULL)
        s->health = gri_strdup(o->health);
    else if (health != NULL)
        s->health = from_folder(file, gri_chain_text(health));
    return s->health != NULL || (o->health == NULL && health == NULL) ? -1 : no_memory();
}

void gri_served_settings_fini(struct gri_served_settings *s)
{
    gri_free(s->health);
}

/* ---- files ----------------------------------------------------------------------------------- */

/* open_file returns a descriptor of a file that can be read; -1, with *ret_exit, after saying why not. */
static int open_file(const struct settings *s, size_t i, int *ret_exit)
{
    struct stat about;
    int fd =
        open(s->all[i].value, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe must not hold us up */

    if (fd < 0 || fstat(fd, &about) != 0) {
        struct gri_strbuf why = { .max = 8192 };

        gri_strbuf_addf(&why, "%s can't be opened: %s", s->all[i].value, strerror(errno));
        *ret_exit = blame(s, i, why.data != NULL ? why.data : "can't be opened", "");
        gri_strbuf_fini(&why);
    } else if (!S_ISREG(about.st_mode)) {
        *ret_exit = blame(s, i, "a file was expected, which this is not: ", s->all[i].value);
    } else {
        return fd;
    }
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

/* check_files looks whether the certificates are there: who dials would see only at the first call. */
static int check_files(const struct settings *s)
{
    static const size_t files[] = { GRI_NODE_TLS_CERT, GRI_NODE_TLS_CA };

    for (size_t k = 0; k < 2; k++) {
        int exit_code = -1, fd;

        if (s->all[files[k]].value == NULL)
            continue;
        fd = open_file(s, files[k], &exit_code);
        if (fd < 0)
            return exit_code;
        (void)close(fd);
    }
    return -1;
}

/* ---- the secret ------------------------------------------------------------------------------ */

/* wipe clears what held a secret; volatile, so that no compiler finds that needless. */
static void wipe(char *data, size_t size)
{
    volatile char *at = data;

    while (size-- > 0)
        *at++ = 0;
}

/* secret_from_file reads at most one byte more than there may be, and a line's end. */
static int secret_from_file(struct settings *s)
{
    char text[SECRET_MOST + 3];
    size_t len = 0;
    ssize_t n = 1;
    int exit_code = -1;
    int fd = open_file(s, GRI_NODE_SECRET_FILE, &exit_code);

    if (fd < 0)
        return exit_code;
    while (n > 0 && len < sizeof(text)) {
        n = read(fd, text + len, sizeof(text) - len);
        len += n > 0 ? (size_t)n : 0;
    }
    if (n < 0)
        exit_code = blame(s, GRI_NODE_SECRET_FILE, "the file can't be read: ", strerror(errno));
    (void)close(fd);
    if (len > 0 && text[len - 1] == '\n')
        len--;
    if (len > 0 && text[len - 1] == '\r')
        len--;
    if (len > SECRET_MOST + 1)
        len = SECRET_MOST + 1; /* too long, which gr_node_configure tells */
    if (exit_code < 0 && memchr(text, '\0', len) != NULL)
        exit_code = blame(s, GRI_NODE_SECRET_FILE, "there is a zero byte in the file", "");
    memcpy(s->secret, text, len);
    s->secret[len] = '\0';
    wipe(text, sizeof(text));
    return exit_code;
}

static int secret_from_env(struct settings *s)
{
    const char *name = s->all[GRI_NODE_SECRET_ENV].value;
    const char *secret = getenv(name);
    size_t len = secret != NULL ? strlen(secret) : 0;

    if (secret == NULL)
        return blame(s, GRI_NODE_SECRET_ENV, "there is no environment variable of that name", "");
    if (len > SECRET_MOST + 1)
        len = SECRET_MOST + 1;
    memcpy(s->secret, secret, len);
    s->secret[len] = '\0';
    return -1;
}

/* ---- configuring ----------------------------------------------------------------------------- */

/* blame_for tells the library's "option: what" with the place of the setting. */
static int blame_for(const struct settings *s, gr_value *error GR_TAKES)
{
    const char *text = gr_error_text(error);
    size_t len = strcspn(text, ":"), i = 0;
    int exit_code = gr_error_code(error) == GR_EINVAL ? GRI_EXIT_USAGE : GRI_EXIT_FAILED;

    /* "secret" is the beginning of both keys that it may come from */
    while (i < GRI_NODE_SETTINGS && (s->all[i].value == NULL || text[len] == '\0' ||
                                     strncmp(node_keys[i].name, text, len) != 0))
        i++;
    if (i < GRI_NODE_SETTINGS)
        (void)blame(s, i, text + len + 1 + strspn(text + len + 1, " "), "");
    else
        gri_say_error(error);
    gr_value_unref(error);
    return exit_code;
}

static int configure(struct settings *s, gr_runtime *rt)
{
    const char *name = s->all[GRI_NODE_NAME].value;
    bool secret =
        s->all[GRI_NODE_SECRET_FILE].value != NULL || s->all[GRI_NODE_SECRET_ENV].value != NULL;
    gr_value *error = NULL;

    if (name != NULL)
        gri_log_lines_node(name);
    if (gr_node_configure(
            rt,
            GR_NODE(.cluster = s->all[GRI_NODE_CLUSTER].value, .name = s->all[GRI_NODE_NAME].value,
                    .secret = secret ? s->secret : NULL,
                    .tls_cert = s->all[GRI_NODE_TLS_CERT].value,
                    .tls_ca = s->all[GRI_NODE_TLS_CA].value,
                    .tls_name = s->all[GRI_NODE_TLS_NAME].value, .insecure = s->insecure),
            &error) == GR_OK)
        return -1;
    return blame_for(s, error);
}

int gri_node_settings_use(struct gri_session *session, const struct gri_options *o,
                          const struct gri_chain_file *file)
{
    struct settings s = { .path = file != NULL ? o->args[0] : NULL };
    int exit_code = collect(&s, o, file);

    if (exit_code < 0)
        exit_code = check_files(&s);
    if (exit_code < 0 && s.all[GRI_NODE_SECRET_FILE].value != NULL)
        exit_code = secret_from_file(&s);
    else if (exit_code < 0 && s.all[GRI_NODE_SECRET_ENV].value != NULL)
        exit_code = secret_from_env(&s);
    if (exit_code < 0)
        exit_code = configure(&s, session->rt);
    wipe(s.secret, sizeof(s.secret));
    for (size_t i = 0; i < GRI_NODE_SETTINGS; i++)
        gri_free(s.all[i].value);
    return exit_code;
}
