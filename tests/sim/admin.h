/* The other side of the simulator: what makes a machine and makes things happen to it.
 *
 * All take the state's folder, so they need no NVML session, and never meet a fault.
 * Answers are nvmlReturn_t codes unless said otherwise.
 */
#ifndef MIGSIM_ADMIN_H
#define MIGSIM_ADMIN_H

#include "state.h"

/* Makes DIR/state from a description (see parse.c). On a mistake in it answers
 * INVALID_ARGUMENT and writes what is wrong to `why`. */
EXPORT nvmlReturn_t migsim_new(const char *dir, const char *text, char *why, unsigned size);
/* The whole live state as JSON; answers the length needed, -code on failure. */
EXPORT int migsim_show(const char *dir, char *text, unsigned size);

EXPORT nvmlReturn_t migsim_set_mode(const char *dir, unsigned gpu, unsigned mode);
EXPORT nvmlReturn_t migsim_create_gi(const char *dir, unsigned gpu, unsigned profile_id,
                                     unsigned start, unsigned *gi_id);
EXPORT nvmlReturn_t migsim_create_ci(const char *dir, unsigned gpu, unsigned gi_id,
                                     unsigned profile_id, unsigned start, unsigned *ci_id);
/* Takes every instance away, whoever holds it. */
EXPORT nvmlReturn_t migsim_clear(const char *dir, unsigned gpu);
/* IN_USE while a process holds the GPU. */
EXPORT nvmlReturn_t migsim_reset(const char *dir, unsigned gpu);
EXPORT nvmlReturn_t migsim_reboot(const char *dir);

/* `kind`: 0 compute, 1 graphics, 2 a client that is in no list. `gi`, `ci`: 0xFFFFFFFF where
 * MIG is off. `steps` as in state.h. */
EXPORT nvmlReturn_t migsim_process_add(const char *dir, unsigned pid, unsigned kind, unsigned gpu,
                                       unsigned gi, unsigned ci, const struct ms_step *steps,
                                       unsigned n_steps);
EXPORT nvmlReturn_t migsim_process_remove(const char *dir, unsigned pid);

EXPORT nvmlReturn_t migsim_lose(const char *dir, unsigned gpu, unsigned lost);
EXPORT nvmlReturn_t migsim_xid(const char *dir, unsigned gpu, unsigned xid, unsigned gi,
                               unsigned ci);
EXPORT nvmlReturn_t migsim_ecc(const char *dir, unsigned gpu, unsigned gi, unsigned uncorrected,
                               unsigned count);

/* after: how many such calls pass first. when: 0 instead of its effect, 1 after it. */
EXPORT nvmlReturn_t migsim_fault_add(const char *dir, const char *call, unsigned pid,
                                     uint64_t after, unsigned once, unsigned when, unsigned kill,
                                     unsigned hang_ms, int code);
EXPORT nvmlReturn_t migsim_fault_clear(const char *dir);
EXPORT nvmlReturn_t migsim_trace_to(const char *dir, const char *path);
/* Stops the clock (frozen 1) and moves it on by `ns`, or lets it run again (0). */
EXPORT nvmlReturn_t migsim_clock(const char *dir, unsigned frozen, int64_t ns);

nvmlReturn_t ms_parse(const char *text, struct ms_fixed *fixed, char *why, unsigned size);

#endif
