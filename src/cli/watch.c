/* SPDX-License-Identifier: MIT */
/*
 * cli/watch.c - a table that is shown again whenever it has changed
 *
 * Nothing tells when a socket begins to listen, or that a supervisor was killed. So once a second
 * everything is looked at, and compared with what was shown last. What berth itself writes can be
 * noticed sooner, by the time of its folder, at the price of one stat(): an inotify(7) instance
 * would be one of the user's few. A look that takes long is not made more often than a tenth of the
 * time allows.
 *
 * The terminal's screen is the alternate one, as of an editor: what stood there comes back. So an
 * interrupt must not end us right away, nor must Ctrl-Z stop us on it: both are read from a
 * signalfd(2), and done to us when the screen is in order again.
 */
#include "cli/watch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/time.h"

enum {
	LOOK_MS = 1000,
	STAT_MS = 100, /* between two looks at the folder's time */
	SHARE = 10, /* at most this part of the time goes into looking */
};

/* Without autowrap: a line that is too long is one row all the same. */
#define SCREEN_ENTER "\033[?1049h\033[?25l\033[?7l"
#define SCREEN_LEAVE "\033[?7h\033[?25h\033[?1049l"
#define SCREEN_HOME "\033[H"
#define LINE_CLEAR "\033[K"
#define BELOW_CLEAR "\033[J"

struct state {
	struct berth_cli *cli;
	const struct berth_watch *watch;
	struct berth_err *err;
	json_t *rows; /* owned: of the last look; NULL: none yet */
	json_t *shown; /* owned: what a document has of them */
	unsigned int height; /* of the terminal */
	bool screen; /* we draw on one */
	int signal_fd; /* owned; -1 without a screen */
	int64_t look_ns; /* when the next look is due */
	struct timespec changed; /* the folder's time at the last look */
};

/* ---- drawing ---- */

/* The last line may do without a newline. */
static const char *next_line(const char *text)
{
	text += strcspn(text, "\n");
	return *text ? text + 1 : text;
}

/* As many lines as there is room for; the last one says how many are missing. */
static void draw_lines(struct state *state, const char *text)
{
	struct berth_out *out = &state->cli->out;
	size_t lines = 0, drawn = 0;

	for (const char *at = text; *at; at = next_line(at))
		lines++;
	berth_out_result(out, SCREEN_HOME);
	while (drawn < lines) {
		size_t len = strcspn(text, "\n");

		if (drawn + 1 == state->height && lines > state->height) {
			berth_out_result(out, LINE_CLEAR "%zu more", lines - drawn);
			break;
		}
		/*
		 * Cleared before: after a full line the cursor is on its last character. No newline
		 * on the last line of the screen, which would scroll it.
		 */
		berth_out_result(out, LINE_CLEAR "%.*s%s", (int)len, text,
				 drawn + 1 < state->height ? "\n" : "");
		text = next_line(text);
		drawn++;
	}
	berth_out_result(out, "%s", drawn < state->height ? BELOW_CLEAR : "");
}

static int draw(struct state *state)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };
	int r = berth_table_text(state->watch->table, state->rows, berth_time_now_ms(),
				 &state->cli->out, &text);

	if (r < 0)
		return berth_err_errno(state->err, r, "cannot draw the table");
	draw_lines(state, text.len ? berth_str_text(&text) : state->watch->nothing);
	return 0;
}

/* ---- looking ---- */

static struct timespec folder_time(const struct state *state)
{
	struct stat st;

	if (!state->watch->path || stat(state->watch->path, &st) < 0)
		return (struct timespec){ 0 };
	return st.st_mtim;
}

static bool is_due(struct state *state)
{
	struct timespec now;

	if (berth_time_mono_ns() >= state->look_ns)
		return true;
	now = folder_time(state);
	return now.tv_sec != state->changed.tv_sec || now.tv_nsec != state->changed.tv_nsec;
}

/* Look, and show it if it has changed; a screen also shows how time goes by. */
static int look(struct state *state)
{
	int64_t began_ns = berth_time_mono_ns(), took_ns, pause_ns = LOOK_MS * BERTH_NS_PER_MS;
	BERTH_AUTO_JSON json_t *rows = NULL, *shown = NULL;
	bool same;
	int r = 0;

	state->changed = folder_time(state); /* before: what comes meanwhile is seen next time */
	r = state->watch->load(state->cli, state->watch->arg, &rows, state->err);
	if (r < 0)
		return r;
	took_ns = berth_time_mono_ns() - began_ns;
	if (took_ns * SHARE > pause_ns)
		pause_ns = took_ns * SHARE;
	state->look_ns = began_ns + pause_ns;
	shown = berth_table_json(state->watch->table, rows, 0);
	same = state->shown && json_equal(state->shown, shown);
	json_decref(state->rows);
	json_decref(state->shown);
	state->rows = BERTH_STEAL(rows);
	state->shown = BERTH_STEAL(shown);
	if (state->screen)
		r = draw(state);
	else if (!same)
		r = state->watch->print(state->cli, state->watch->arg, state->rows, state->err);
	fflush(state->cli->out.results);
	return r;
}

/* ---- the screen ---- */

static int open_screen(struct state *state)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	sigaddset(&set, SIGTSTP);
	sigaddset(&set, SIGWINCH);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	state->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (state->signal_fd < 0)
		return -errno;
	state->height = berth_out_measure(&state->cli->out);
	berth_out_result(&state->cli->out, SCREEN_ENTER);
	return 0;
}

static void leave_screen(struct state *state)
{
	berth_out_result(&state->cli->out, SCREEN_LEAVE);
	fflush(state->cli->out.results);
}

/* Have @signum do to us what it does to any program. Returns after what has only stopped us. */
static void suffer(int signum)
{
	struct sigaction standard = { .sa_handler = SIG_DFL };
	sigset_t set, before;

	sigemptyset(&set);
	sigaddset(&set, signum);
	sigaction(signum, &standard, NULL);
	raise(signum);
	sigprocmask(SIG_UNBLOCK, &set, &before);
	sigprocmask(SIG_SETMASK, &before, NULL);
}

static void take_signals(struct state *state)
{
	struct signalfd_siginfo info;

	while (read(state->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo != SIGWINCH) {
			leave_screen(state);
			suffer((int)info.ssi_signo);
			berth_out_result(&state->cli->out, SCREEN_ENTER);
		}
		state->height = berth_out_measure(&state->cli->out);
		state->look_ns = 0;
	}
}

/* Until it is time to look again. False: nobody reads us any more. */
static bool wait_until_due(struct state *state)
{
	struct pollfd fds[] = {
		{ .fd = fileno(state->cli->out.results) },
		{ .fd = state->signal_fd, .events = POLLIN },
	};

	while (!is_due(state)) {
		int64_t left_ms = (state->look_ns - berth_time_mono_ns()) / BERTH_NS_PER_MS + 1;

		if (state->watch->path && left_ms > STAT_MS)
			left_ms = STAT_MS;
		if (poll(fds, BERTH_ARRAY_SIZE(fds), left_ms > 0 ? (int)left_ms : 0) <= 0)
			continue;
		if (fds[0].revents)
			return false;
		take_signals(state);
	}
	return true;
}

int berth_watch_run(struct berth_cli *cli, const struct berth_watch *watch, struct berth_err *err)
{
	struct state state = {
		.cli = cli,
		.watch = watch,
		.err = err,
		.screen = cli->out.terminal && !cli->out.json,
		.signal_fd = -1,
	};
	int r = state.screen ? open_screen(&state) : 0;

	if (r < 0)
		return berth_err_errno(err, r, "cannot watch");
	do
		r = look(&state);
	while (r == 0 && !cli->out.write_errno && wait_until_due(&state));
	if (state.screen)
		leave_screen(&state);
	berth_fd_close(&state.signal_fd);
	json_decref(state.rows);
	json_decref(state.shown);
	return r;
}
