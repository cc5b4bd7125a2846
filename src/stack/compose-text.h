/* SPDX-License-Identifier: MIT */
/* stack/compose-text.h - small languages of a Compose file: variables, ports, words, images */
#pragma once

#include "base/str.h"

/*
 * @text with its variables as berth.yaml has them: $X, ${X-y} and ${X?y} become ${X}, ${X:-y} and
 * ${X:?y}, a lone $ becomes $$, {name} becomes {{name}}. false: it has a form that berth.yaml does
 * not know (${X:+y}), which is then ${X}.
 */
bool berth_compose_text_value(struct berth_str *out, const char *text);

/* @text with ${X:-y} as y, and variables without a default left out: for what must be known now. */
void berth_compose_text_default(struct berth_str *out, const char *text);

/* The words of a command, as a shell splits them. NULL: out of memory, or a quote is not closed. */
char **berth_compose_text_words(const char *text);
void berth_compose_text_free_words(char **words);

struct berth_compose_port {
	uint16_t target; /* in the container */
	uint16_t published; /* 0: any */
	bool udp;
	char address[64]; /* "": all */
};
/* "8080:80", "127.0.0.1:8080:80/tcp", "80", "[::1]:8080:80". false: not that, or a range. */
bool berth_compose_text_parse_port(const char *text, struct berth_compose_port *ret_port);

/* The port that programs of that image listen on, by the image's name; 0: not known. */
uint16_t berth_compose_text_image_port(const char *image);
