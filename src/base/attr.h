/* SPDX-License-Identifier: MIT */
/* base/attr.h - compiler attributes and the few macros that every file uses */
#pragma once

#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

/* Exported from libberth; everything else is hidden. */
#define BERTH_PUBLIC __attribute__((visibility("default")))
/* The return value is the only way to learn of a failure. */
#define BERTH_MUST_USE __attribute__((warn_unused_result))
#define BERTH_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define BERTH_NORETURN __attribute__((noreturn))
#define BERTH_CLEANUP(fn) __attribute__((cleanup(fn)))

#define BERTH_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define berth_container_of(ptr, type, member) \
	((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Hand a pointer over to whoever takes it: the variable is NULL afterwards. */
#define BERTH_STEAL(ptr) \
	({ \
		__typeof__(ptr) stolen_ = (ptr); \
		(ptr) = NULL; \
		stolen_; \
	})

static inline void berth_cleanup_free(void *p)
{
	free(*(void **)p);
}

/* Linux frees the number even when close() reports an error: never retried. */
static inline void berth_cleanup_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline int berth_fd_steal(int *fd)
{
	int stolen = *fd;

	*fd = -1;
	return stolen;
}

/* Close @fd if it is one, and leave -1 behind. */
static inline void berth_fd_close(int *fd)
{
	berth_cleanup_fd(fd);
	*fd = -1;
}

#define BERTH_AUTO_FREE BERTH_CLEANUP(berth_cleanup_free)
#define BERTH_AUTO_FD BERTH_CLEANUP(berth_cleanup_fd)

/*
 * For a type with a free function: BERTH_DEFINE_CLEANUP(struct x *, x_free), then
 * BERTH_CLEANUP(x_freep).
 */
#define BERTH_DEFINE_CLEANUP(type, fn) \
	static inline void fn##p(type *p) \
	{ \
		if (*p) \
			fn(*p); \
	}
