/* The rules of MIG: what fits where, which ids it gets, what may be destroyed. */
#ifndef MIGSIM_GEOMETRY_H
#define MIGSIM_GEOMETRY_H

#include "state.h"

enum { ANYWHERE = 0xFFFFFFFF };

/* The profile with that id or that NVML enum; NULL if this GPU has none. */
const struct ms_gi_profile *ms_gi_by_id(const struct ms_model *model, unsigned id);
const struct ms_gi_profile *ms_gi_by_number(const struct ms_model *model, unsigned number);
const struct ms_ci_profile *ms_ci_by_id(const struct ms_gi_profile *gi, unsigned id);
const struct ms_ci_profile *ms_ci_by_number(const struct ms_gi_profile *gi, unsigned number);

bool ms_gi_fits(const struct ms_world *w, unsigned gpu, const struct ms_gi_profile *profile,
                unsigned start);
unsigned ms_gi_capacity(const struct ms_world *w, unsigned gpu,
                        const struct ms_gi_profile *profile);
bool ms_ci_fits(const struct ms_world *w, unsigned gpu, unsigned gi,
                const struct ms_ci_profile *profile, unsigned start);
unsigned ms_ci_capacity(const struct ms_world *w, unsigned gpu, unsigned gi,
                        const struct ms_ci_profile *profile);

/* These change the state. INSUFFICIENT_RESOURCES: it does not fit; IN_USE: someone holds it;
 * INVALID_ARGUMENT: no such start. */
nvmlReturn_t ms_create_gi(struct ms_world *w, unsigned gpu, const struct ms_gi_profile *profile,
                          unsigned start, unsigned *gi_id);
nvmlReturn_t ms_destroy_gi(struct ms_world *w, unsigned gpu, unsigned gi);
nvmlReturn_t ms_create_ci(struct ms_world *w, unsigned gpu, unsigned gi,
                          const struct ms_ci_profile *profile, unsigned start, unsigned *ci_id);
nvmlReturn_t ms_destroy_ci(struct ms_world *w, unsigned gpu, unsigned gi, unsigned ci);
/* A reset, a reboot, MIG mode off: all instances are gone. */
void ms_clear_geometry(struct ms_world *w, unsigned gpu);

/* How many MIG devices there can be: as many as the largest profile has slices. */
unsigned ms_max_mig_devices(const struct ms_model *model);
unsigned ms_count_gis(const struct ms_gpu *gpu);

/* What the calls named PossiblePlacements answer: how many there are, and, with room, where. */
nvmlReturn_t ms_tell_placements(const uint32_t *starts, unsigned n, unsigned size,
                                nvmlPlacement_t *placements, unsigned *count);

#endif
