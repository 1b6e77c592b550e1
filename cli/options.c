/* SPDX-License-Identifier: Apache-2.0 */
/* options.c - reading the command line, and its help. */
#include "cli/options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cli/input.h"
#include "cli/simulate.h"

const struct gri_command gri_commands[] = {
    { "run", "FILE [ACTOR]", 1, 2, "itcmTwq", "call an actor of a chain file, print its answer",
      "ACTOR is the file's main unless given. The answer is printed as one line of JSON.",
      gri_cmd_run, NULL },
    { "stream", "FILE [ACTOR]", 1, 2, "itcmTwq", "the same, printing the answer as it comes",
      "Prints one line of JSON for each chunk; with --text-out the text as it comes.",
      gri_cmd_stream, NULL },
    { "batch", "FILE [ACTOR]", 1, 2, "icmwqx", "call it for each item of a list",
      "The input is a list; the answers are printed as one list, in the same order. How many are "
      "under\nway at once: --config '{\"max_concurrency\": 4}'.",
      gri_cmd_batch, NULL },
    { "serve", "FILE", 1, 1, "wq",
      "let other processes call the actors that a chain file publishes",
      "Loads files first, then listens on the file's listen: URLs until Ctrl-C or SIGTERM, and\n"
      "exits with 0 then. Prints \"listening on URL\" for each, then \"pid N\", when it is ready.",
      gri_cmd_serve, NULL },
    { "call", "URL ACTOR [VERB]", 2, 3, "itcmsTw", "call an actor that another process serves",
      "VERB is invoke unless given; others: batch, add_documents, similarity_search, embed_query\n"
      "and so on, with a map of their arguments as the input.",
      gri_cmd_call, NULL },
    { "sim", "FILE [ACTOR]", 1, 2, "itcmwnFSfrjpaRv",
      "run a chain in simulations, and tell which one breaks it",
      "Each seed is a simulated machine: threads, a clock, and chance. There several runs of the "
      "chain\nstart at once, some are cancelled or get a deadline, then faults end and one more "
      "must succeed.\nEvery run must end, with the answer that the chain has without faults or an "
      "error that the\nfaults explain; nothing may leak. See docs/simulation.md.",
      gri_cmd_sim, gri_simulate_count_memory },
    { "check", "FILE", 1, 1, "", "tell what is wrong with a chain file",
      "Reads the file, makes its actors and forgets them: nothing is loaded, nobody is called.\n"
      "Each mistake is a line \"file:line:column: what\". The format: greenroom kinds, and\n"
      "docs/chain-file.md.",
      gri_cmd_check, NULL },
    { "kinds", "[KIND]", 0, 1, "M",
      "list the kinds of actors a chain file can make, and their keys", "", gri_cmd_kinds, NULL },
};
const size_t gri_command_count = sizeof(gri_commands) / sizeof(gri_commands[0]);

static const struct option_help {
    struct option option; /* val is its letter */
    const char *value, *help;
} option_table[] = {
    { { "input", required_argument, NULL, 'i' },
      "JSON",
      "the input; @PATH reads a file, - standard input" },
    { { "text", required_argument, NULL, 't' },
      "TEXT",
      "the input is this text; @PATH and - as above" },
    { { "config", required_argument, NULL, 'c' },
      "JSON",
      "run config: tags, metadata, max_concurrency and so on" },
    { { "timeout", required_argument, NULL, 'm' }, "SECONDS", "give up after so long" },
    { { "stream", no_argument, NULL, 's' }, NULL, "print chunks as they come" },
    { { "text-out", no_argument, NULL, 'T' }, NULL, "print texts as they are, not as JSON" },
    { { "return-exceptions", no_argument, NULL, 'x' },
      NULL,
      "failed items become {\"$error\": …} in the list" },
    { { "workers", required_argument, NULL, 'w' }, "N", "worker threads; default one a CPU" },
    { { "quiet", no_argument, NULL, 'q' }, NULL, "no progress bar" },
    { { "markdown", no_argument, NULL, 'M' }, NULL, "as in docs/chain-file.md" },
    { { "seeds", required_argument, NULL, 'n' },
      "N",
      "how many seeds; default 1000; 0: until interrupted" },
    { { "from", required_argument, NULL, 'F' }, "SEED", "the first of them; default 1" },
    { { "seed", required_argument, NULL, 'S' }, "SEED", "this seed only, in this process" },
    { { "faults", required_argument, NULL, 'f' },
      "LIST",
      "of sched,time,memory,full,threads,http,net,files; all; none; default sched,time" },
    { { "runs", required_argument, NULL, 'r' }, "N", "at once in each seed; default 6" },
    { { "jobs", required_argument, NULL, 'j' }, "N", "processes; default one" },
    { { "patience", required_argument, NULL, 'p' },
      "SECONDS",
      "of real time that a seed may take; default 60" },
    { { "any-answer", no_argument, NULL, 'a' }, NULL, "answers may differ from run to run" },
    { { "trace", no_argument, NULL, 'R' }, NULL, "tell every decision on standard error" },
    { { "verbose", no_argument, NULL, 'v' }, NULL, "list the points that fired" },
    { { "help", no_argument, NULL, 'h' }, NULL, "this text" },
    { { "version", no_argument, NULL, 'V' }, NULL, "the version" },
};
#define OPTION_COUNT (sizeof(option_table) / sizeof(option_table[0]))

static void print_help(void)
{
    (void)printf("greenroom: chains of language-model actors, run and served from files.\n\n"
                 "usage: greenroom COMMAND …\n\n");
    for (size_t i = 0; i < gri_command_count; i++)
        (void)printf("  %-7s %-17s %s\n", gri_commands[i].name, gri_commands[i].args,
                     gri_commands[i].help);
    (void)printf(
        "\ngreenroom COMMAND --help tells more; greenroom --version tells the version.\n"
        "Exit codes: 0 fine, 1 the chain failed, 2 wrong command line or file, 130 Ctrl-C.\n");
}

static void print_command_help(const struct gri_command *c)
{
    (void)printf("usage: greenroom %s %s%s\n\n%c%s.\n", c->name, c->args,
                 c->accepts[0] != '\0' ? " [OPTION…]" : "", toupper((unsigned char)c->help[0]),
                 c->help + 1);
    if (c->more[0] != '\0')
        (void)printf("%s\n", c->more);
    (void)printf("\n");
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option_help *o = &option_table[i];
        char name[40];

        if (o->option.val != 'h' && strchr(c->accepts, o->option.val) == NULL)
            continue;
        (void)snprintf(name, sizeof(name), "--%s%s%s", o->option.name, o->value != NULL ? " " : "",
                       o->value != NULL ? o->value : "");
        (void)printf("  %-20s %s\n", name, o->help);
    }
}

/* usage says what is wrong with the command line. */
static int usage(const struct gri_command *c, const char *what, const char *which)
{
    gri_say("%s%s%s%s%s; greenroom %s%s--help tells how", c != NULL ? c->name : "",
            c != NULL ? ": " : "", what, which[0] != '\0' ? " " : "", which,
            c != NULL ? c->name : "", c != NULL ? " " : "");
    return GRI_EXIT_USAGE;
}

/* read_number reads a number from `least` to `most`, times `scale`. */
static bool read_number(const char *arg, double least, double most, double scale, int64_t *ret)
{
    char *end = NULL;
    double x;

    errno = 0;
    x = strtod(arg, &end);
    if (end == arg || *end != '\0' || errno != 0 || !(x >= least && x <= most))
        return false;
    *ret = (int64_t)(x * scale);
    return true;
}

/* read_input sets the input once. */
static int read_input(struct gri_options *o, gr_value *v)
{
    if (v == NULL)
        return GRI_EXIT_USAGE;
    if (o->input != NULL) {
        gr_value_unref(v);
        return usage(o->command, "more than one input is given", "");
    }
    o->input = v;
    return -1;
}

static int read_config(struct gri_options *o, const char *arg)
{
    gr_value_unref(o->config);
    o->config = gri_input_json("--config", arg);
    if (o->config == NULL)
        return GRI_EXIT_USAGE;
    if (gr_value_type(o->config) != GR_MAP)
        return usage(o->command, "--config: a JSON map was expected", "");
    return -1;
}

unsigned gri_options_faults(const char *text)
{
    static const char *const names[] = { "sched",   "time", "memory", "full",
                                         "threads", "http", "net",    "files" };
    unsigned faults = 0;

    if (strcmp(text, "all") == 0)
        return GR_SIM_ALL;
    if (strcmp(text, "none") == 0)
        return GR_SIM_NONE;
    for (;;) {
        size_t len = strcspn(text, ","), i = 0;

        while (i < 8 && (strlen(names[i]) != len || strncmp(names[i], text, len) != 0))
            i++;
        if (i == 8)
            return 0;
        faults |= 1u << i;
        if (text[len] == '\0')
            return faults;
        text += len + 1;
    }
}

/* What an option of `sim` takes: a whole number from least to most. */
static const struct number_option {
    int letter;
    double least, most;
    const char *wrong;
} sim_numbers[] = {
    { 'n', 0, 1e15, "--seeds: a number from 0 was expected, not" },
    { 'F', 1, 1e15, "--from: a number from 1 was expected, not" },
    { 'S', 1, 1e15, "--seed: a number from 1 was expected, not" },
    { 'r', 1, GRI_SIM_RUNS_MAX, "--runs: a number from 1 to 1000 was expected, not" },
    { 'j', 1, GRI_SIM_JOBS_MAX, "--jobs: a number from 1 to 64 was expected, not" },
    { 'p', 1, 1e6, "--patience: seconds from 1 were expected, not" },
};

static int read_sim_number(struct gri_options *o, int letter, const char *arg)
{
    const struct number_option *n = sim_numbers;
    struct gri_sim_options *sim = &o->sim;
    int64_t number = 0;

    while (n->letter != letter)
        n++;
    if (!read_number(arg, n->least, n->most, 1, &number))
        return usage(o->command, n->wrong, arg);
    switch (letter) {
    case 'n': sim->seeds = number == 0 ? -1 : number; break;
    case 'F': sim->from = number; break;
    case 'S': sim->seed = number; break;
    case 'r': sim->runs = (unsigned)number; break;
    case 'j': sim->jobs = (unsigned)number; break;
    default: sim->patience_s = number; break;
    }
    return -1;
}

static int read_sim_option(struct gri_options *o, int letter, const char *arg)
{
    switch (letter) {
    case 'f':
        o->sim.faults = gri_options_faults(arg);
        return o->sim.faults != 0 ? -1
                                  : usage(o->command, "--faults: there are no faults named", arg);
    case 'a': o->sim.any_answer = true; return -1;
    case 'R': o->sim.trace = true; return -1;
    case 'v': o->sim.verbose = true; return -1;
    default: return read_sim_number(o, letter, arg);
    }
}

static int read_option(struct gri_options *o, int letter, const char *arg)
{
    int64_t number = 0;

    switch (letter) {
    case 'i': return read_input(o, gri_input_json("--input", arg));
    case 't': return read_input(o, gri_input_text("--text", arg));
    case 'c': return read_config(o, arg);
    case 'm':
        if (!read_number(arg, 0.001, 1e9, 1000, &o->timeout_ms))
            return usage(o->command, "--timeout: seconds above 0 were expected, not", arg);
        return -1;
    case 'w':
        if (!read_number(arg, 1, 64, 1, &number))
            return usage(o->command, "--workers: a number from 1 to 64 was expected, not", arg);
        o->workers = (unsigned)number;
        return -1;
    case 'T': o->form = GRI_FORM_TEXT; return -1;
    case 's': o->stream = true; return -1;
    case 'q': o->quiet = true; return -1;
    case 'x': o->return_exceptions = true; return -1;
    case 'M': o->markdown = true; return -1;
    default: return read_sim_option(o, letter, arg);
    }
}

/* parse_options goes through argv, whose first word is the command's name. */
static int parse_options(int argc, char **argv, struct gri_options *o)
{
    struct option options[OPTION_COUNT + 1];
    int letter;

    for (size_t i = 0; i < OPTION_COUNT; i++)
        options[i] = option_table[i].option;
    options[OPTION_COUNT] = (struct option){ 0 };
    opterr = 0;
    optind = 0; /* as 1, and forgets where an earlier reading stopped */
    while ((letter = getopt_long(argc, argv, ":hVv", options, NULL)) != -1) {
        const char *given = argv[optind - 1];
        int exit_code;

        if (letter == 'h') {
            print_command_help(o->command);
            return GRI_EXIT_OK;
        }
        if (letter == ':')
            return usage(o->command, "a value was expected after", given);
        if (letter == '?' || letter == 'V' || strchr(o->command->accepts, letter) == NULL)
            return usage(o->command, "there is no option", given);
        exit_code = read_option(o, letter, optarg);
        if (exit_code >= 0)
            return exit_code;
    }
    for (int i = 0; optind + i < argc && i < GRI_ARGS_MAX; i++)
        o->args[i] = argv[optind + i];
    if (argc - optind < o->command->args_min)
        return usage(o->command, "missing: ", o->command->args);
    if (argc - optind > o->command->args_max)
        return usage(o->command, "not expected:", argv[optind + o->command->args_max]);
    if (o->input == NULL)
        o->input = gr_nil();
    return -1;
}

static const struct gri_command *find_command(const char *name)
{
    for (size_t i = 0; i < gri_command_count; i++) {
        if (strcmp(gri_commands[i].name, name) == 0)
            return &gri_commands[i];
    }
    return NULL;
}

int gri_options_read(int argc, char **argv, struct gri_options *o)
{
    const char *first = argc > 1 ? argv[1] : "";

    *o = (struct gri_options){ .argc = argc, .argv = argv };
    if (strcmp(first, "--version") == 0 || strcmp(first, "-V") == 0) {
        (void)printf("greenroom %s\n", gr_version());
        return GRI_EXIT_OK;
    }
    if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0 || strcmp(first, "help") == 0) {
        const struct gri_command *about = argc > 2 ? find_command(argv[2]) : NULL;

        if (argc > 2 && about == NULL)
            return usage(NULL, "there is no command", argv[2]);
        if (about != NULL)
            print_command_help(about);
        else
            print_help();
        return GRI_EXIT_OK;
    }
    if (argc < 2)
        return usage(NULL, "a command was expected", "");
    o->command = find_command(first);
    if (o->command != NULL && o->command->prepare != NULL)
        o->command->prepare();
    if (o->command == NULL)
        return usage(NULL, first[0] == '-' ? "there is no option" : "there is no command", first);
    return parse_options(argc - 1, argv + 1, o);
}

void gri_options_fini(struct gri_options *o)
{
    gr_value_unref(o->input);
    gr_value_unref(o->config);
    o->input = o->config = NULL;
}
