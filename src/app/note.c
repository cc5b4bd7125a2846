/* SPDX-License-Identifier: MIT */
/* app/note.c - what a supervisor and its guardian, or the starter that waits, tell each other */
#include "app/note.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* The note itself, then the document as text. */
int berth_note_send(int sock, const struct berth_note *note, const json_t *document, int fd)
{
	BERTH_AUTO_FREE char *text = document ? berth_json_line(document) : NULL;
	size_t len = text ? strlen(text) : 0;
	BERTH_AUTO_FREE char *message = malloc(sizeof(*note) + len);

	if (!message || (document && !text))
		return -ENOMEM;
	memcpy(message, note, sizeof(*note));
	if (text)
		memcpy(message + sizeof(*note), text, len);
	return berth_uds_send(sock, message, sizeof(*note) + len, fd);
}

/*
 * The length of the next message, 0 at the end. A side that ends with something unread in its queue
 * gives the other ECONNRESET, once, before what it had sent itself.
 */
static ssize_t measure(int sock)
{
	ssize_t n = recv(sock, NULL, 0, MSG_PEEK | MSG_TRUNC);

	if (n < 0 && errno == ECONNRESET)
		n = recv(sock, NULL, 0, MSG_PEEK | MSG_TRUNC);
	return n;
}

int berth_note_recv(int sock, struct berth_note *ret_note, json_t **ret_document, int *ret_fd)
{
	/* How long it is; the end counts as 0. */
	ssize_t n = measure(sock);
	BERTH_AUTO_FREE char *message = NULL;

	if (n < 0)
		return -errno;
	message = malloc((size_t)n + 1);
	if (!message)
		return -ENOMEM;
	n = berth_uds_recv(sock, message, (size_t)n + 1, ret_fd);
	if (n <= 0)
		return (int)n;
	if ((size_t)n < sizeof(*ret_note)) {
		if (ret_fd)
			berth_fd_close(ret_fd);
		return -EPROTO;
	}
	memcpy(ret_note, message, sizeof(*ret_note));
	if (ret_document)
		*ret_document = (size_t)n > sizeof(*ret_note)
					? berth_json_parse(message + sizeof(*ret_note),
							   (size_t)n - sizeof(*ret_note))
					: NULL;
	return 1;
}
