/* SPDX-License-Identifier: MIT */
/* app/doctor-ptrace.h - may one process look into another one here, and who forbids it */
#pragma once

#include "app/doctor.h"

/* kernel.yama.ptrace_scope; -1: there is no Yama. */
int berth_doctor_ptrace_scope(void);

/* The program that made the container we are in, as far as that shows; NULL. */
const char *berth_doctor_ptrace_engine(void);

/* The command that lets us look into processes, where @error says that we may not; else none. */
void berth_doctor_ptrace_fix(int error, struct berth_doctor_finding *finding);

/* What a scope of Yama (-1: none) means for us, pure. @free: we have CAP_SYS_PTRACE. */
void berth_doctor_ptrace_judge(int scope, bool free, struct berth_doctor_finding *finding);

/* The checks "pidfd-getfd" and "yama". */
void berth_doctor_ptrace_getfd(const struct berth_doctor_place *place,
			       struct berth_doctor_finding *finding);
void berth_doctor_ptrace_yama(const struct berth_doctor_place *place,
			      struct berth_doctor_finding *finding);
