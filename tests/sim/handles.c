/* Making handles and looking them up. */
#include "handles.h"

#include <string.h>

enum kind { GPU = 1, MIG, GI, CI };

/* From the top: a tag that no address has, the kind, the place, the incarnation. */
#define TAG 0x5Aull

static uintptr_t pack(enum kind kind, unsigned gpu, unsigned gi, unsigned ci, uint32_t life) {
    return (uintptr_t)(TAG << 56 | (uint64_t)kind << 52 | (uint64_t)gpu << 44 |
                       (uint64_t)(gi & 15) << 40 | (uint64_t)(ci & 15) << 36 |
                       (uint64_t)life << 4);
}

static enum kind kind_of(uintptr_t h) { return (h >> 52) & 15; }
static unsigned gpu_of(uintptr_t h) { return (h >> 44) & 255; }
static unsigned gi_of(uintptr_t h) { return (h >> 40) & 15; }
static unsigned ci_of(uintptr_t h) { return (h >> 36) & 15; }
static uint32_t life_of(uintptr_t h) { return (uint32_t)(h >> 4); }

nvmlDevice_t ms_gpu_handle(unsigned gpu) { return (nvmlDevice_t)pack(GPU, gpu, 0, 0, 0); }

nvmlDevice_t ms_mig_handle(const struct ms_world *w, unsigned gpu, unsigned gi, unsigned ci) {
    uint32_t life = w->live->gpus[gpu].gi[gi].ci[ci].incarnation;
    return (nvmlDevice_t)pack(MIG, gpu, gi, ci, life);
}

nvmlGpuInstance_t ms_gi_handle(const struct ms_world *w, unsigned gpu, unsigned gi) {
    uint32_t life = w->live->gpus[gpu].gi[gi].incarnation;
    return (nvmlGpuInstance_t)pack(GI, gpu, gi, 0, life);
}

nvmlComputeInstance_t ms_ci_handle(const struct ms_world *w, unsigned gpu, unsigned gi,
                                   unsigned ci) {
    uint32_t life = w->live->gpus[gpu].gi[gi].ci[ci].incarnation;
    return (nvmlComputeInstance_t)pack(CI, gpu, gi, ci, life);
}

nvmlReturn_t ms_gpu_target(const struct ms_world *w, unsigned gpu, struct ms_target *t) {
    memset(t, 0, sizeof *t);
    if (gpu >= w->fixed->n_gpus)
        return NVML_ERROR_INVALID_ARGUMENT;
    t->gpu = gpu;
    t->gi_id = t->ci_id = NO_INSTANCE;
    t->state = &w->live->gpus[gpu];
    t->fixed = &w->fixed->gpus[gpu];
    t->model = ms_model_of(w, gpu);
    return t->state->lost ? NVML_ERROR_GPU_IS_LOST : NVML_SUCCESS;
}

static nvmlReturn_t look_up(const struct ms_world *w, uintptr_t handle, enum kind wanted,
                            struct ms_target *t) {
    if (handle >> 56 != TAG || kind_of(handle) != wanted)
        return NVML_ERROR_INVALID_ARGUMENT;
    nvmlReturn_t result = ms_gpu_target(w, gpu_of(handle), t);
    if (result != NVML_SUCCESS || wanted == GPU)
        return result;
    unsigned gi_id = gi_of(handle), ci_id = ci_of(handle);
    if (gi_id >= MS_MAX_GIS || ci_id >= MS_MAX_CIS)
        return NVML_ERROR_INVALID_ARGUMENT;
    struct ms_gi *gi = &t->state->gi[gi_id];
    struct ms_ci *ci = &gi->ci[ci_id];
    if (wanted == GI ? !gi->used || gi->incarnation != life_of(handle)
                     : !ci->used || ci->incarnation != life_of(handle))
        return NVML_ERROR_INVALID_ARGUMENT;
    t->gi_id = gi_id;
    t->gi = gi;
    t->gi_profile = &t->model->gi[gi->profile];
    if (wanted != GI) {
        t->ci_id = ci_id;
        t->ci = ci;
        t->ci_profile = &t->gi_profile->ci[ci->profile];
    }
    return NVML_SUCCESS;
}

nvmlReturn_t ms_device(const struct ms_world *w, nvmlDevice_t handle, struct ms_target *t) {
    uintptr_t h = (uintptr_t)handle;
    return look_up(w, h, kind_of(h) == MIG ? MIG : GPU, t);
}

nvmlReturn_t ms_whole_gpu(const struct ms_world *w, nvmlDevice_t handle, struct ms_target *t,
                          nvmlReturn_t otherwise) {
    nvmlReturn_t result = ms_device(w, handle, t);
    return result == NVML_SUCCESS && t->gi != NULL ? otherwise : result;
}

nvmlReturn_t ms_whole_with(const struct ms_world *w, nvmlDevice_t handle, const void *out,
                           struct ms_target *t) {
    nvmlReturn_t result = ms_whole_gpu(w, handle, t, NVML_ERROR_NOT_SUPPORTED);
    return result == NVML_SUCCESS && out == NULL ? NVML_ERROR_INVALID_ARGUMENT : result;
}

nvmlReturn_t ms_mig_device(const struct ms_world *w, nvmlDevice_t handle, struct ms_target *t,
                           nvmlReturn_t otherwise) {
    nvmlReturn_t result = ms_device(w, handle, t);
    return result == NVML_SUCCESS && t->gi == NULL ? otherwise : result;
}

nvmlReturn_t ms_gpu_instance(const struct ms_world *w, nvmlGpuInstance_t handle,
                             struct ms_target *t) {
    return look_up(w, (uintptr_t)handle, GI, t);
}

nvmlReturn_t ms_compute_instance(const struct ms_world *w, nvmlComputeInstance_t handle,
                                 struct ms_target *t) {
    return look_up(w, (uintptr_t)handle, CI, t);
}
