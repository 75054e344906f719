/* NVML's calls about compute instances. */
#include <stdio.h>
#include <string.h>

#include "call.h"
#include "geometry.h"
#include "handles.h"

enum { N_PROFILES = 9 };

static nvmlReturn_t profile_by_number(const struct ms_world *w, nvmlGpuInstance_t instance,
                                      unsigned number, unsigned engines,
                                      const struct ms_ci_profile **profile) {
    struct ms_target t;
    nvmlReturn_t result = ms_gpu_instance(w, instance, &t);
    if (result != NVML_SUCCESS)
        return result;
    if (number >= N_PROFILES || engines != 0)
        return NVML_ERROR_INVALID_ARGUMENT;
    *profile = ms_ci_by_number(t.gi_profile, number);
    return *profile == NULL ? NVML_ERROR_NOT_SUPPORTED : NVML_SUCCESS;
}

static nvmlReturn_t privileged_profile(const struct ms_world *w, nvmlGpuInstance_t instance,
                                       unsigned id, struct ms_target *t,
                                       const struct ms_ci_profile **profile) {
    nvmlReturn_t result = ms_gpu_instance(w, instance, t);
    if (result != NVML_SUCCESS)
        return result;
    if (!ms_privileged())
        return NVML_ERROR_NO_PERMISSION;
    *profile = ms_ci_by_id(t->gi_profile, id);
    return *profile == NULL ? NVML_ERROR_INVALID_ARGUMENT : NVML_SUCCESS;
}

static nvmlComputeInstanceProfileInfo_t info_of(const struct ms_ci_profile *p) {
    return (nvmlComputeInstanceProfileInfo_t){.id = p->id,
                                              .sliceCount = p->slices,
                                              .instanceCount = p->max,
                                              .multiprocessorCount = p->sm};
}

static nvmlReturn_t do_nvmlGpuInstanceGetComputeInstanceProfileInfo(
    struct ms_world *w, nvmlGpuInstance_t instance, unsigned number, unsigned engines,
    nvmlComputeInstanceProfileInfo_t *info) {
    const struct ms_ci_profile *profile = NULL;
    nvmlReturn_t result = profile_by_number(w, instance, number, engines, &profile);
    if (result != NVML_SUCCESS)
        return result;
    if (info == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    *info = info_of(profile);
    return NVML_SUCCESS;
}
READ_CALL(nvmlGpuInstanceGetComputeInstanceProfileInfo,
          (nvmlGpuInstance_t instance, unsigned number, unsigned engines,
           nvmlComputeInstanceProfileInfo_t *info),
          (c.w, instance, number, engines, info))

/* `info` begins with the version that the caller was built for. */
static nvmlReturn_t do_nvmlGpuInstanceGetComputeInstanceProfileInfoV(struct ms_world *w,
                                                                     nvmlGpuInstance_t instance,
                                                                     unsigned number,
                                                                     unsigned engines,
                                                                     unsigned *info) {
    const struct ms_ci_profile *profile = NULL;
    nvmlReturn_t result = profile_by_number(w, instance, number, engines, &profile);
    if (result != NVML_SUCCESS)
        return result;
    if (info == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    if (*info != CI_PROFILE_INFO_V2 && *info != CI_PROFILE_INFO_V3)
        return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    if (*info == CI_PROFILE_INFO_V3)
        ((nvmlComputeInstanceProfileInfo_v3_t *)(void *)info)->capabilities = 0;
    nvmlComputeInstanceProfileInfo_v2_t *v2 = (void *)info; /* v3 only adds a field after it */
    v2->v1 = info_of(profile);
    snprintf(v2->name, sizeof v2->name, "MIG %s", profile->name);
    return NVML_SUCCESS;
}
READ_CALL(nvmlGpuInstanceGetComputeInstanceProfileInfoV,
          (nvmlGpuInstance_t instance, unsigned number, unsigned engines, unsigned *info),
          (c.w, instance, number, engines, info))

static nvmlReturn_t do_nvmlGpuInstanceGetComputeInstancePossiblePlacements(
    struct ms_world *w, nvmlGpuInstance_t instance, unsigned id, nvmlPlacement_t *placements,
    unsigned *count) {
    struct ms_target t;
    const struct ms_ci_profile *profile = NULL;
    nvmlReturn_t result = privileged_profile(w, instance, id, &t, &profile);
    if (result != NVML_SUCCESS)
        return result;
    return ms_tell_placements(profile->starts, profile->n_starts, profile->size, placements, count);
}
READ_CALL(nvmlGpuInstanceGetComputeInstancePossiblePlacements,
          (nvmlGpuInstance_t instance, unsigned id, nvmlPlacement_t *placements, unsigned *count),
          (c.w, instance, id, placements, count))

static nvmlReturn_t do_nvmlGpuInstanceGetComputeInstanceRemainingCapacity(
    struct ms_world *w, nvmlGpuInstance_t instance, unsigned id, unsigned *count) {
    struct ms_target t;
    const struct ms_ci_profile *profile = NULL;
    nvmlReturn_t result = privileged_profile(w, instance, id, &t, &profile);
    if (result != NVML_SUCCESS)
        return result;
    if (count == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    *count = ms_ci_capacity(w, t.gpu, t.gi_id, profile);
    return NVML_SUCCESS;
}
READ_CALL(nvmlGpuInstanceGetComputeInstanceRemainingCapacity,
          (nvmlGpuInstance_t instance, unsigned id, unsigned *count), (c.w, instance, id, count))

static nvmlReturn_t create(struct ms_world *w, nvmlGpuInstance_t instance, unsigned id,
                           unsigned start, unsigned size, nvmlComputeInstance_t *made) {
    struct ms_target t;
    const struct ms_ci_profile *profile = NULL;
    nvmlReturn_t result = privileged_profile(w, instance, id, &t, &profile);
    if (result != NVML_SUCCESS)
        return result;
    if (made == NULL || (start != ANYWHERE && size != profile->size))
        return NVML_ERROR_INVALID_ARGUMENT;
    unsigned ci_id = 0;
    result = ms_create_ci(w, t.gpu, t.gi_id, profile, start, &ci_id);
    if (result == NVML_SUCCESS)
        *made = ms_ci_handle(w, t.gpu, t.gi_id, ci_id);
    return result;
}

static nvmlReturn_t do_nvmlGpuInstanceCreateComputeInstance(struct ms_world *w,
                                                            nvmlGpuInstance_t instance,
                                                            unsigned id,
                                                            nvmlComputeInstance_t *made) {
    return create(w, instance, id, ANYWHERE, 0, made);
}
WRITE_CALL(nvmlGpuInstanceCreateComputeInstance,
           (nvmlGpuInstance_t instance, unsigned id, nvmlComputeInstance_t *made),
           (c.w, instance, id, made))

static nvmlReturn_t do_nvmlGpuInstanceCreateComputeInstanceWithPlacement(
    struct ms_world *w, nvmlGpuInstance_t instance, unsigned id, const nvmlPlacement_t *placement,
    nvmlComputeInstance_t *made) {
    if (placement == NULL || placement->start == ANYWHERE)
        return NVML_ERROR_INVALID_ARGUMENT;
    return create(w, instance, id, placement->start, placement->size, made);
}
WRITE_CALL(nvmlGpuInstanceCreateComputeInstanceWithPlacement,
           (nvmlGpuInstance_t instance, unsigned id, const nvmlPlacement_t *placement,
            nvmlComputeInstance_t *made),
           (c.w, instance, id, placement, made))

static nvmlReturn_t do_nvmlComputeInstanceDestroy(struct ms_world *w,
                                                  nvmlComputeInstance_t instance) {
    struct ms_target t;
    nvmlReturn_t result = ms_compute_instance(w, instance, &t);
    if (result != NVML_SUCCESS)
        return result;
    return ms_privileged() ? ms_destroy_ci(w, t.gpu, t.gi_id, t.ci_id)
                           : NVML_ERROR_NO_PERMISSION;
}
WRITE_CALL(nvmlComputeInstanceDestroy, (nvmlComputeInstance_t instance), (c.w, instance))

static nvmlReturn_t do_nvmlGpuInstanceGetComputeInstances(struct ms_world *w,
                                                          nvmlGpuInstance_t instance, unsigned id,
                                                          nvmlComputeInstance_t *instances,
                                                          unsigned *count) {
    struct ms_target t;
    const struct ms_ci_profile *profile = NULL;
    nvmlReturn_t result = privileged_profile(w, instance, id, &t, &profile);
    if (result != NVML_SUCCESS)
        return result;
    if (count == NULL || instances == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    *count = 0;
    for (unsigned ci = 0; ci < MS_MAX_CIS; ci++)
        if (t.gi->ci[ci].used && &t.gi_profile->ci[t.gi->ci[ci].profile] == profile)
            instances[(*count)++] = ms_ci_handle(w, t.gpu, t.gi_id, ci);
    return NVML_SUCCESS;
}
READ_CALL(nvmlGpuInstanceGetComputeInstances,
          (nvmlGpuInstance_t instance, unsigned id, nvmlComputeInstance_t *instances,
           unsigned *count),
          (c.w, instance, id, instances, count))

static nvmlReturn_t do_nvmlGpuInstanceGetComputeInstanceById(struct ms_world *w,
                                                             nvmlGpuInstance_t instance,
                                                             unsigned ci_id,
                                                             nvmlComputeInstance_t *found) {
    struct ms_target t;
    nvmlReturn_t result = ms_gpu_instance(w, instance, &t);
    if (result != NVML_SUCCESS)
        return result;
    if (!ms_privileged())
        return NVML_ERROR_NO_PERMISSION;
    if (found == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    if (ci_id >= MS_MAX_CIS || !t.gi->ci[ci_id].used)
        return NVML_ERROR_NOT_FOUND;
    *found = ms_ci_handle(w, t.gpu, t.gi_id, ci_id);
    return NVML_SUCCESS;
}
READ_CALL(nvmlGpuInstanceGetComputeInstanceById,
          (nvmlGpuInstance_t instance, unsigned ci_id, nvmlComputeInstance_t *found),
          (c.w, instance, ci_id, found))

/* `device` is the parent GPU, as nvml.h says ("Parent device"), not the MIG device. */
static nvmlReturn_t do_nvmlComputeInstanceGetInfo_v2(struct ms_world *w,
                                                     nvmlComputeInstance_t instance,
                                                     nvmlComputeInstanceInfo_t *info) {
    struct ms_target t;
    nvmlReturn_t result = ms_compute_instance(w, instance, &t);
    if (result != NVML_SUCCESS)
        return result;
    if (info == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    *info = (nvmlComputeInstanceInfo_t){ms_gpu_handle(t.gpu),
                                        ms_gi_handle(w, t.gpu, t.gi_id),
                                        t.ci_id,
                                        t.ci_profile->id,
                                        {t.ci->start, t.ci_profile->size}};
    return NVML_SUCCESS;
}
READ_CALL(nvmlComputeInstanceGetInfo_v2,
          (nvmlComputeInstance_t instance, nvmlComputeInstanceInfo_t *info),
          (c.w, instance, info))

/* The first version's caller has no room for a placement. */
static nvmlReturn_t do_nvmlComputeInstanceGetInfo(struct ms_world *w,
                                                  nvmlComputeInstance_t instance,
                                                  nvmlComputeInstanceInfo_v1_t *info) {
    nvmlComputeInstanceInfo_t full;
    nvmlReturn_t result =
        do_nvmlComputeInstanceGetInfo_v2(w, instance, info == NULL ? NULL : &full);
    if (result == NVML_SUCCESS)
        *info = (nvmlComputeInstanceInfo_v1_t){full.device, full.gpuInstance, full.id,
                                               full.profileId};
    return result;
}
READ_CALL(nvmlComputeInstanceGetInfo,
          (nvmlComputeInstance_t instance, nvmlComputeInstanceInfo_v1_t *info),
          (c.w, instance, info))
