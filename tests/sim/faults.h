/* Failures on demand: error codes, hangs, and processes killed inside a call. */
#ifndef MIGSIM_FAULTS_H
#define MIGSIM_FAULTS_H

#include "state.h"

/* What the faults that stand now say of this call at this moment: SUCCESS, or the code to
 * answer instead. May sleep. May not return: a `kill` fault ends the process by SIGKILL. */
nvmlReturn_t ms_fault_point(struct ms_file *file, const char *call, enum ms_when when);

/* Appends "PID CALL RESULT" to the trace file, if one was asked for. */
void ms_trace(const struct ms_file *file, const char *call, const char *result);
void ms_trace_code(const struct ms_file *file, const char *call, nvmlReturn_t code);

#endif
