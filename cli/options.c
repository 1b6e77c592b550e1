/* SPDX-License-Identifier: Apache-2.0 */
/* options.c - reading the command line, and its help. */
#include "cli/options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cli/input.h"
#include "cli/log_lines.h"
#include "cli/simulate.h"

#define DRAIN_MS 25000 /* below the 30 s that Kubernetes gives by default, and systemd's 90 */
#define LOG "gl"
#define NODE "CNkKEAH" /* the letters of what other nodes are told; see node_letters */

const struct gri_command gri_commands[] = {
    { "run", "FILE [ACTOR]", 1, 2, "itcmTeRLwq" NODE LOG,
      "call an actor of a chain file, print its answer",
      "ACTOR is the file's main unless given. The answer is printed as one line of JSON.\n"
      "With --events what happens in its runs is printed instead, as astream_events gives it.",
      gri_cmd_run, NULL },
    { "stream", "FILE [ACTOR]", 1, 2, "itcmTRLwq" NODE LOG,
      "the same, printing the answer as it comes",
      "Prints one line of JSON for each chunk; with --text-out the text as it comes.",
      gri_cmd_stream, NULL },
    { "batch", "FILE [ACTOR]", 1, 2, "icmRLwqx" NODE LOG, "call it for each item of a list",
      "The input is a list; the answers are printed as one list, in the same order. How many are "
      "under\nway at once: --config '{\"max_concurrency\": 4}'.",
      gri_cmd_batch, NULL },
    { "serve", "FILE", 1, 1, "wqDP89" NODE "I" LOG,
      "let other processes call the actors that a chain file publishes",
      "Loads files first, then listens on the file's listen: URLs until Ctrl-C or SIGTERM. Prints\n"
      "\"listening on URL\" for each, then \"pid N\", when it is ready, and tells $NOTIFY_SOCKET.\n"
      "After the signal it takes no more calls, and ends once those under way have their answers:\n"
      "exit code 0; or 1 if they take longer than --drain. A second signal ends it at once.\n"
      "Of a file with nodes it is one of them, --node says which: it has the actors that live there.",
      gri_cmd_serve, NULL },
    { "ps", "URL", 1, 1, "m12" NODE, "list the actors of a process that serves",
      "An actor's ID stands for its name in info and kill. HANDLED counts messages that were in a\n"
      "mailbox; what has no state is called past it. RESTARTS and AGE are known of what a supervisor\n"
      "starts, BYTES are those of the state itself. With --json a line for each, all that is known.",
      gri_cmd_ps, NULL },
    { "top", "URL", 1, 1, "m345" NODE, "show its busiest actors, again and again",
      "Sorted by messages handled since the look before, then by those that wait. Ctrl-C ends it.",
      gri_cmd_top, NULL },
    { "info", "URL [ACTOR]", 1, 2, "m1" NODE,
      "tell about a process that serves, or one of its actors",
      "ACTOR is a name or an id. Of the process: its links, what it publishes, its limits, and what it\n"
      "has counted.",
      gri_cmd_info, NULL },
    { "kill", "URL ACTOR", 2, 2, "m6" NODE, "send an exit signal to an actor",
      "A supervisor starts it again, as after any other end, unless its rules say otherwise. Only for\n"
      "links over which callers show who they are: a secret, ipc, or TLS with certificates of both.",
      gri_cmd_kill, NULL },
    { "drain", "URL", 1, 1, "m7q" NODE,
      "have a process that serves end, once its calls have their answers",
      "It takes no more calls, as after SIGTERM. Waits until none is left: exit code 0; or 1 if it\n"
      "ends before that. Only for links over which callers show who they are, as kill.",
      gri_cmd_drain, NULL },
    { "up", "FILE [-- COMMAND]", 1, -1, "D", "start all the nodes of a chain file on this host",
      "Each node is a process, greenroom serve FILE --node NAME. One that ends is started again, as the\n"
      "file's key up says. What they say goes to standard error, with the node's name before it. Once\n"
      "all are ready it prints \"ready: NAME URL, …\". Ctrl-C or SIGTERM ends them, those that call others\n"
      "first; a second signal ends all at once. With a COMMAND, run, stream or batch, greenroom runs\n"
      "that on FILE once all are ready, then ends them, and exits with its exit code:\n"
      "  greenroom up shop.yaml -- run answer --text \"What is a scope?\"",
      gri_cmd_up, NULL },
    { "call", "URL ACTOR [VERB]", 2, 3, "itcmsTw" NODE, "call an actor that another process serves",
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
    { "graph", "FILE [ACTOR]", 1, 2, "", "draw what an actor is made of, as Mermaid",
      "Prints a flowchart that Mermaid draws, https://mermaid.js.org. ACTOR is the file's main unless given;\n"
      "of a file with nodes, what lives on each of them and who calls whom is drawn without one.",
      gri_cmd_graph, NULL },
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
      "run config: tags, metadata, configurable and so on" },
    { { "timeout", required_argument, NULL, 'm' }, "SECONDS", "give up after so long" },
    { { "stream", no_argument, NULL, 's' }, NULL, "print chunks as they come" },
    { { "text-out", no_argument, NULL, 'T' }, NULL, "print texts as they are, not as JSON" },
    { { "return-exceptions", no_argument, NULL, 'x' },
      NULL,
      "failed items become {\"$error\": …} in the list" },
    { { "events", no_argument, NULL, 'e' },
      NULL,
      "print the events of the run and of all within, a line of JSON each" },
    { { "trace-file", required_argument, NULL, 'L' },
      "FILE",
      "append the events to FILE, as lines of JSON" },
    { { "workers", required_argument, NULL, 'w' }, "N", "worker threads; default one a CPU" },
    { { "quiet", no_argument, NULL, 'q' }, NULL, "no progress bar" },
    { { "drain", required_argument, NULL, 'D' },
      "SECONDS",
      "for calls under way when it is to end; default 25; 0: end at once" },
    { { "cluster", required_argument, NULL, 'C' }, "NAME", "of the nodes that are to meet" },
    { { "node-name", required_argument, NULL, 'N' },
      "NAME",
      "of this node; unique in its cluster" },
    { { "secret-file", required_argument, NULL, 'k' },
      "FILE",
      "what both ends of a link must know, 16 to 1024 bytes" },
    { { "secret-env", required_argument, NULL, 'K' }, "VARIABLE", "that holds it instead" },
    { { "tls-cert", required_argument, NULL, 'E' },
      "FILE",
      "for tls+tcp, in PEM: our certificate, then its key" },
    { { "tls-ca", required_argument, NULL, 'A' }, "FILE", "for tls+tcp, in PEM: whom to trust" },
    { { "tls-name", required_argument, NULL, 'H' },
      "NAME",
      "in the certificate of who is called; default the URL's host" },
    { { "insecure", no_argument, NULL, 'I' },
      NULL,
      "listen beyond this machine in clear, or to anybody" },
    { { "json", no_argument, NULL, '1' }, NULL, "print JSON, a line for each" },
    { { "tree", no_argument, NULL, '2' }, NULL, "print who supervises whom" },
    { { "once", no_argument, NULL, '3' }, NULL, "look once" },
    { { "count", required_argument, NULL, '4' }, "N", "look so often; default: until Ctrl-C" },
    { { "interval", required_argument, NULL, '5' }, "SECONDS", "between two looks; default 1" },
    { { "reason", required_argument, NULL, '6' },
      "REASON",
      "normal, shutdown or kill; default shutdown" },
    { { "wait", required_argument, NULL, '7' },
      "SECONDS",
      "how long to wait; default: until it ends; 0: not at all" },
    { { "health", required_argument, NULL, '8' },
      "PATH",
      "a local socket that tells how this process does, also by HTTP" },
    { { "health-stuck", required_argument, NULL, '9' },
      "SECONDS",
      "without anything done, though work waits, it says stuck; default 30" },
    { { "log-format", required_argument, NULL, 'g' }, "FORMAT", "plain or json; default plain" },
    { { "log-level", required_argument, NULL, 'l' },
      "LEVEL",
      "error, warning, info or debug; default warning" },
    { { "node", required_argument, NULL, 'P' }, "NAME", "which of the file's nodes this is" },
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
    { { "trace", no_argument, NULL, 'R' },
      NULL,
      "tell on standard error what is run; in a simulation, every decision" },
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
    const char *rest = strstr(c->args, " [-- "); /* options stand before the other command */
    int own = rest != NULL ? (int)(rest - c->args) : (int)strlen(c->args);

    (void)printf("usage: greenroom %s %.*s%s%s\n\n%c%s.\n", c->name, own, c->args,
                 c->accepts[0] != '\0' ? " [OPTION…]" : "", c->args + own,
                 toupper((unsigned char)c->help[0]), c->help + 1);
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
    case 'v': o->sim.verbose = true; return -1;
    default: return read_sim_number(o, letter, arg);
    }
}

static int read_reason(struct gri_options *o, const char *arg)
{
    o->reason = arg;
    if (strcmp(arg, "normal") == 0 || strcmp(arg, "shutdown") == 0 || strcmp(arg, "kill") == 0)
        return -1;
    return usage(o->command, "--reason: normal, shutdown or kill was expected, not", arg);
}

/* read_operate_option reads what the commands have by which processes are operated. */
static int read_operate_option(struct gri_options *o, int letter, const char *arg)
{
    switch (letter) {
    case '1': o->json = true; return -1;
    case '2': o->tree = true; return -1;
    case '3': o->once = true; return -1;
    case '4':
        if (!read_number(arg, 1, 1e9, 1, &o->count))
            return usage(o->command, "--count: a number from 1 was expected, not", arg);
        return -1;
    case '5':
        if (!read_number(arg, 0.05, 86400, 1000, &o->interval_ms))
            return usage(o->command, "--interval: seconds from 0.05 were expected, not", arg);
        return -1;
    case '6': return read_reason(o, arg);
    case '7':
        if (!read_number(arg, 0, 86400, 1000, &o->wait_ms))
            return usage(o->command, "--wait: seconds from 0 to 86400 were expected, not", arg);
        return -1;
    case '8': o->health = arg; return -1;
    default:
        if (!read_number(arg, 0.1, 86400, 1000, &o->health_stuck_ms))
            return usage(o->command, "--health-stuck: seconds from 0.1 were expected, not", arg);
        return -1;
    }
}

static int read_log_option(struct gri_options *o, int letter, const char *arg)
{
    if (letter == 'g' && !gri_log_lines_format(arg))
        return usage(o->command, "--log-format: plain or json was expected, not", arg);
    if (letter == 'l' && !gri_log_lines_level(arg))
        return usage(o->command, "--log-level: error, warning, info or debug was expected, not",
                     arg);
    return -1;
}

static const char node_letters[GRI_NODE_SETTINGS + 1] = NODE; /* in the order of gri_node_setting */

static int read_option(struct gri_options *o, int letter, const char *arg)
{
    const char *node = strchr(node_letters, letter);

    int64_t number = 0;

    if (node != NULL) {
        o->node.given[node - node_letters] = arg;
        return -1;
    }
    switch (letter) {
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9': return read_operate_option(o, letter, arg);
    case 'g':
    case 'l': return read_log_option(o, letter, arg);
    case 'I': o->node.insecure = true; return -1;
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
    case 'D':
        if (!read_number(arg, 0, 86400, 1000, &o->drain_ms))
            return usage(o->command, "--drain: seconds from 0 to 86400 were expected, not", arg);
        return -1;
    case 'T': o->form = GRI_FORM_TEXT; return -1;
    case 's': o->stream = true; return -1;
    case 'q': o->quiet = true; return -1;
    case 'x': o->return_exceptions = true; return -1;
    case 'M': o->markdown = true; return -1;
    case 'e': o->events = true; return -1;
    case 'P': o->place = arg; return -1;
    case 'R': o->trace = true; return -1;
    case 'L': o->trace_file = arg; return -1;
    default: return read_sim_option(o, letter, arg);
    }
}

/* valued returns the name of an option that takes a value; NULL: it takes none, or is not known. */
static const char *valued(int letter)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (option_table[i].option.val == letter)
            return option_table[i].option.has_arg != no_argument ? option_table[i].option.name
                                                                 : NULL;
    }
    return NULL;
}

/* no_such_option says so; given is the word that getopt stopped behind, which may be the option's value. */
static int no_such_option(const struct gri_options *o, int letter, const char *given)
{
    const char *name = valued(letter);
    char text[64];

    if (name == NULL)
        return usage(o->command, "there is no option", given);
    (void)snprintf(text, sizeof(text), "--%s", name);
    return usage(o->command, "there is no option", text);
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
            return no_such_option(o, letter, given);
        exit_code = read_option(o, letter, optarg);
        if (exit_code >= 0)
            return exit_code;
    }
    for (int i = 0; optind + i < argc && i < GRI_ARGS_MAX; i++)
        o->args[i] = argv[optind + i];
    if (argc - optind < o->command->args_min)
        return usage(o->command, "missing:", o->command->args);
    if (o->command->args_max < 0) /* the rest is a command line of its own */
        o->rest = argv + optind + 1;
    else if (argc - optind > o->command->args_max)
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

    *o = (struct gri_options){ .argc = argc, .argv = argv, .drain_ms = DRAIN_MS, .wait_ms = -1 };
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
