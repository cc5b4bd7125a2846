/* SPDX-License-Identifier: MIT */
/* examples/hello-server.c - a web server on port 8080, or the next one that is free */
#include <berth/berth.h>

#include <stdio.h>
#include <unistd.h>

int main(void)
{
	static const char answer[] = "HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n";
	const struct berth_hold_spec wish = { .port = 8080 };
	struct berth_error error;
	struct berth_hold *hold;
	char request[4096];
	int listener, client;

	if (berth_hold_new(&wish, &hold, &error) < 0 ||
	    (listener = berth_hold_listen(hold, NULL, NULL, 128, &error)) < 0) {
		fprintf(stderr, "hello-server: %s\n", error.message);
		return 1;
	}
	printf("http://localhost:%u\n", berth_hold_port(hold, NULL));
	fflush(stdout);
	while ((client = accept(listener, NULL, NULL)) >= 0) {
		if (read(client, request, sizeof(request)) > 0)
			(void)!write(client, answer, sizeof(answer) - 1);
		close(client);
	}
	return 0;
}
