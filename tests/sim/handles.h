/* NVML handles as numbers: what they name, and which incarnation of it.
 *
 * A handle carries the incarnation of the instance that it was made for, so it goes stale
 * when that instance is destroyed, even if another takes its ids: INVALID_ARGUMENT then.
 */
#ifndef MIGSIM_HANDLES_H
#define MIGSIM_HANDLES_H

#include "state.h"

struct ms_target {
    unsigned gpu, gi_id, ci_id; /* NO_INSTANCE where the handle names none */
    struct ms_gpu *state;
    struct ms_gi *gi; /* NULL where the handle names none */
    struct ms_ci *ci;
    const struct ms_gpu_fixed *fixed;
    const struct ms_model *model;
    const struct ms_gi_profile *gi_profile;
    const struct ms_ci_profile *ci_profile;
};

nvmlDevice_t ms_gpu_handle(unsigned gpu);
nvmlDevice_t ms_mig_handle(const struct ms_world *w, unsigned gpu, unsigned gi, unsigned ci);
nvmlGpuInstance_t ms_gi_handle(const struct ms_world *w, unsigned gpu, unsigned gi);
nvmlComputeInstance_t ms_ci_handle(const struct ms_world *w, unsigned gpu, unsigned gi,
                                   unsigned ci);

/* INVALID_ARGUMENT: not a handle, or stale; GPU_IS_LOST: it fell off the bus. */
nvmlReturn_t ms_device(const struct ms_world *w, nvmlDevice_t handle, struct ms_target *t);
/* As ms_device, but only a whole GPU will do; a MIG device is `otherwise`. */
nvmlReturn_t ms_whole_gpu(const struct ms_world *w, nvmlDevice_t handle, struct ms_target *t,
                          nvmlReturn_t otherwise);
/* For what only whole GPUs tell (a MIG device: NOT_SUPPORTED), with somewhere to put it. */
nvmlReturn_t ms_whole_with(const struct ms_world *w, nvmlDevice_t handle, const void *out,
                           struct ms_target *t);
nvmlReturn_t ms_mig_device(const struct ms_world *w, nvmlDevice_t handle, struct ms_target *t,
                           nvmlReturn_t otherwise);
nvmlReturn_t ms_gpu_instance(const struct ms_world *w, nvmlGpuInstance_t handle,
                             struct ms_target *t);
nvmlReturn_t ms_compute_instance(const struct ms_world *w, nvmlComputeInstance_t handle,
                                 struct ms_target *t);
nvmlReturn_t ms_gpu_target(const struct ms_world *w, unsigned gpu, struct ms_target *t);

#endif
