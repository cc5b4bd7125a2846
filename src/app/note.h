/* SPDX-License-Identifier: MIT */
/* app/note.h - what a supervisor and its guardian, or the starter that waits, tell each other */
#pragma once

#include "base/err.h"
#include "base/json.h"
#include "os/uds.h"

/* One message each, over a SOCK_SEQPACKET pair; the end of file is the other side's end. */
enum berth_note_kind {
	/* supervisor -> starter, one of them */
	BERTH_NOTE_READY, /* with the service document */
	BERTH_NOTE_FAILED, /* with err, @value the exit code; the document where the service had
			      started */
	/* supervisor -> guardian */
	BERTH_NOTE_STARTED, /* a unit: there is a record of it */
	BERTH_NOTE_WATCH, /* with a duplicate of the notify descriptor */
	BERTH_NOTE_SPARE, /* @value: a process that is none of the service, to be left alone */
	BERTH_NOTE_ORDER, /* with a stop command, as of stop-order.h; without an "argv": forget it */
	BERTH_NOTE_STOPPED, /* the command has been stopped by signal @value (job control) */
	BERTH_NOTE_ENDED, /* @value: exit code; @extra: the signal that ended it, 0 none */
	/* guardian -> supervisor */
	BERTH_NOTE_SIGNAL, /* @value: signal; @extra: 1 if the terminal sent it to the whole group
			    */
	BERTH_NOTE_HANGUP, /* the terminal has gone */
};

struct berth_note {
	enum berth_note_kind kind;
	int value;
	int extra;
	struct berth_err err;
};

/* @document (NULL allowed) is borrowed; @fd -1: none. 0 or -errno. */
BERTH_MUST_USE int berth_note_send(int sock, const struct berth_note *note, const json_t *document,
				   int fd);
/*
 * 1: a note; 0: the end; -errno. *ret_document (NULL: not wanted) is a new reference or NULL;
 * *ret_fd -1: none came.
 */
BERTH_MUST_USE int berth_note_recv(int sock, struct berth_note *ret_note, json_t **ret_document,
				   int *ret_fd);
