/* NVML's calls about GPU instances. */
#include <stdio.h>
#include <string.h>

#include "call.h"
#include "geometry.h"
#include "handles.h"

/* Old drivers tell no profiles while MIG is off (mig-parted falls back to a file then). */
static nvmlReturn_t profiles_visible(const struct ms_world *w, const struct ms_target *t) {
    if (!t->model->mig || (w->fixed->driver_major <= 535 && !t->state->mode))
        return NVML_ERROR_NOT_SUPPORTED;
    return NVML_SUCCESS;
}

/* A privileged call on a GPU whose MIG mode is on. */
static nvmlReturn_t privileged(const struct ms_world *w, nvmlDevice_t device,
                               struct ms_target *t) {
    nvmlReturn_t result = ms_whole_gpu(w, device, t, NVML_ERROR_INVALID_ARGUMENT);
    if (result != NVML_SUCCESS)
        return result;
    if (!t->state->mode)
        return NVML_ERROR_NOT_SUPPORTED;
    return ms_privileged() ? NVML_SUCCESS : NVML_ERROR_NO_PERMISSION;
}

static nvmlReturn_t privileged_profile(const struct ms_world *w, nvmlDevice_t device, unsigned id,
                                       struct ms_target *t,
                                       const struct ms_gi_profile **profile) {
    nvmlReturn_t result = privileged(w, device, t);
    if (result != NVML_SUCCESS)
        return result;
    *profile = ms_gi_by_id(t->model, id);
    return *profile == NULL ? NVML_ERROR_INVALID_ARGUMENT : NVML_SUCCESS;
}

/* NVML counts its profiles from 0; a hole is NOT_SUPPORTED and the end INVALID_ARGUMENT. */
enum { N_PROFILES = 18 };

static nvmlReturn_t profile_by_number(const struct ms_world *w, nvmlDevice_t device,
                                      unsigned number, struct ms_target *t,
                                      const struct ms_gi_profile **profile) {
    nvmlReturn_t result = ms_whole_gpu(w, device, t, NVML_ERROR_INVALID_ARGUMENT);
    if (result == NVML_SUCCESS && number >= N_PROFILES)
        result = NVML_ERROR_INVALID_ARGUMENT;
    if (result == NVML_SUCCESS)
        result = profiles_visible(w, t);
    if (result != NVML_SUCCESS)
        return result;
    *profile = ms_gi_by_number(t->model, number);
    return *profile == NULL ? NVML_ERROR_NOT_SUPPORTED : NVML_SUCCESS;
}

/* Only counts that a table gives are given; decoders and their like stay 0 (unknown). */
static nvmlReturn_t fill_v1(const struct ms_gi_profile *p, nvmlGpuInstanceProfileInfo_t *info) {
    *info = (nvmlGpuInstanceProfileInfo_t){.id = p->id,
                                           .sliceCount = p->slices,
                                           .instanceCount = p->max,
                                           .multiprocessorCount = p->sm,
                                           .copyEngineCount = p->copy_engines,
                                           .memorySizeMB = p->memory_mib};
    return NVML_SUCCESS;
}

static nvmlReturn_t fill_v2(const struct ms_gi_profile *p, nvmlGpuInstanceProfileInfo_v2_t *info) {
    *info = (nvmlGpuInstanceProfileInfo_v2_t){.version = GI_PROFILE_INFO_V2,
                                              .id = p->id,
                                              .sliceCount = p->slices,
                                              .instanceCount = p->max,
                                              .multiprocessorCount = p->sm,
                                              .copyEngineCount = p->copy_engines,
                                              .memorySizeMB = p->memory_mib};
    snprintf(info->name, sizeof info->name, "MIG %s", p->name);
    return NVML_SUCCESS;
}

static nvmlReturn_t fill_v3(const struct ms_gi_profile *p, nvmlGpuInstanceProfileInfo_v3_t *info) {
    *info = (nvmlGpuInstanceProfileInfo_v3_t){.version = GI_PROFILE_INFO_V3,
                                              .id = p->id,
                                              .sliceCount = p->slices,
                                              .instanceCount = p->max,
                                              .multiprocessorCount = p->sm,
                                              .copyEngineCount = p->copy_engines,
                                              .memorySizeMB = p->memory_mib};
    snprintf(info->name, sizeof info->name, "MIG %s", p->name);
    return NVML_SUCCESS;
}

/* `info` begins with the version that the caller was built for. */
static nvmlReturn_t fill_versioned(const struct ms_gi_profile *p, unsigned *info) {
    if (*info == GI_PROFILE_INFO_V2)
        return fill_v2(p, (void *)info);
    if (*info == GI_PROFILE_INFO_V3)
        return fill_v3(p, (void *)info);
    return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
}

static nvmlReturn_t do_nvmlDeviceGetGpuInstanceProfileInfo(struct ms_world *w,
                                                           nvmlDevice_t device, unsigned number,
                                                           nvmlGpuInstanceProfileInfo_t *info) {
    struct ms_target t;
    const struct ms_gi_profile *profile = NULL;
    nvmlReturn_t result = profile_by_number(w, device, number, &t, &profile);
    if (result == NVML_SUCCESS && info == NULL)
        result = NVML_ERROR_INVALID_ARGUMENT;
    return result == NVML_SUCCESS ? fill_v1(profile, info) : result;
}
READ_CALL(nvmlDeviceGetGpuInstanceProfileInfo,
          (nvmlDevice_t device, unsigned number, nvmlGpuInstanceProfileInfo_t *info),
          (c.w, device, number, info))

static nvmlReturn_t do_nvmlDeviceGetGpuInstanceProfileInfoV(struct ms_world *w,
                                                            nvmlDevice_t device, unsigned number,
                                                            unsigned *info) {
    struct ms_target t;
    const struct ms_gi_profile *profile = NULL;
    nvmlReturn_t result = profile_by_number(w, device, number, &t, &profile);
    if (result == NVML_SUCCESS && info == NULL)
        result = NVML_ERROR_INVALID_ARGUMENT;
    return result == NVML_SUCCESS ? fill_versioned(profile, info) : result;
}
READ_CALL(nvmlDeviceGetGpuInstanceProfileInfoV,
          (nvmlDevice_t device, unsigned number, unsigned *info), (c.w, device, number, info))

static nvmlReturn_t do_nvmlDeviceGetGpuInstanceProfileInfoByIdV(struct ms_world *w,
                                                                nvmlDevice_t device, unsigned id,
                                                                unsigned *info) {
    struct ms_target t;
    nvmlReturn_t result = ms_whole_gpu(w, device, &t, NVML_ERROR_INVALID_ARGUMENT);
    if (result == NVML_SUCCESS)
        result = profiles_visible(w, &t);
    if (result != NVML_SUCCESS)
        return result;
    const struct ms_gi_profile *profile = ms_gi_by_id(t.model, id);
    if (profile == NULL || info == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    return fill_versioned(profile, info);
}
READ_CALL(nvmlDeviceGetGpuInstanceProfileInfoByIdV,
          (nvmlDevice_t device, unsigned id, unsigned *info), (c.w, device, id, info))

static nvmlReturn_t do_nvmlDeviceGetGpuInstancePossiblePlacements_v2(
    struct ms_world *w, nvmlDevice_t device, unsigned id, nvmlPlacement_t *placements,
    unsigned *count) {
    struct ms_target t;
    const struct ms_gi_profile *profile = NULL;
    nvmlReturn_t result = privileged_profile(w, device, id, &t, &profile);
    if (result != NVML_SUCCESS)
        return result;
    return ms_tell_placements(profile->starts, profile->n_starts, profile->size, placements, count);
}
READ_CALL(nvmlDeviceGetGpuInstancePossiblePlacements_v2,
          (nvmlDevice_t device, unsigned id, nvmlPlacement_t *placements, unsigned *count),
          (c.w, device, id, placements, count))
READ_CALL_AS(nvmlDeviceGetGpuInstancePossiblePlacements,
             nvmlDeviceGetGpuInstancePossiblePlacements_v2,
             (nvmlDevice_t device, unsigned id, nvmlPlacement_t *placements, unsigned *count),
             (c.w, device, id, placements, count))

static nvmlReturn_t do_nvmlDeviceGetGpuInstanceRemainingCapacity(struct ms_world *w,
                                                                 nvmlDevice_t device, unsigned id,
                                                                 unsigned *count) {
    struct ms_target t;
    const struct ms_gi_profile *profile = NULL;
    nvmlReturn_t result = privileged_profile(w, device, id, &t, &profile);
    if (result != NVML_SUCCESS)
        return result;
    if (count == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    *count = ms_gi_capacity(w, t.gpu, profile);
    return NVML_SUCCESS;
}
READ_CALL(nvmlDeviceGetGpuInstanceRemainingCapacity,
          (nvmlDevice_t device, unsigned id, unsigned *count), (c.w, device, id, count))

static nvmlReturn_t create(struct ms_world *w, nvmlDevice_t device, unsigned id, unsigned start,
                           unsigned size, nvmlGpuInstance_t *instance) {
    struct ms_target t;
    const struct ms_gi_profile *profile = NULL;
    nvmlReturn_t result = privileged_profile(w, device, id, &t, &profile);
    if (result != NVML_SUCCESS)
        return result;
    if (instance == NULL || (start != ANYWHERE && size != profile->size))
        return NVML_ERROR_INVALID_ARGUMENT;
    unsigned gi_id = 0;
    result = ms_create_gi(w, t.gpu, profile, start, &gi_id);
    if (result == NVML_SUCCESS)
        *instance = ms_gi_handle(w, t.gpu, gi_id);
    return result;
}

static nvmlReturn_t do_nvmlDeviceCreateGpuInstance(struct ms_world *w, nvmlDevice_t device,
                                                   unsigned id, nvmlGpuInstance_t *instance) {
    return create(w, device, id, ANYWHERE, 0, instance);
}
WRITE_CALL(nvmlDeviceCreateGpuInstance,
           (nvmlDevice_t device, unsigned id, nvmlGpuInstance_t *instance),
           (c.w, device, id, instance))

static nvmlReturn_t do_nvmlDeviceCreateGpuInstanceWithPlacement(struct ms_world *w,
                                                                nvmlDevice_t device, unsigned id,
                                                                const nvmlPlacement_t *placement,
                                                                nvmlGpuInstance_t *instance) {
    if (placement == NULL || placement->start == ANYWHERE)
        return NVML_ERROR_INVALID_ARGUMENT;
    return create(w, device, id, placement->start, placement->size, instance);
}
WRITE_CALL(nvmlDeviceCreateGpuInstanceWithPlacement,
           (nvmlDevice_t device, unsigned id, const nvmlPlacement_t *placement,
            nvmlGpuInstance_t *instance),
           (c.w, device, id, placement, instance))

static nvmlReturn_t do_nvmlGpuInstanceDestroy(struct ms_world *w, nvmlGpuInstance_t instance) {
    struct ms_target t;
    nvmlReturn_t result = ms_gpu_instance(w, instance, &t);
    if (result != NVML_SUCCESS)
        return result;
    return ms_privileged() ? ms_destroy_gi(w, t.gpu, t.gi_id) : NVML_ERROR_NO_PERMISSION;
}
WRITE_CALL(nvmlGpuInstanceDestroy, (nvmlGpuInstance_t instance), (c.w, instance))

/* The caller's array has room for the profile's instanceCount: no more can exist. */
static nvmlReturn_t do_nvmlDeviceGetGpuInstances(struct ms_world *w, nvmlDevice_t device,
                                                 unsigned id, nvmlGpuInstance_t *instances,
                                                 unsigned *count) {
    struct ms_target t;
    const struct ms_gi_profile *profile = NULL;
    nvmlReturn_t result = privileged_profile(w, device, id, &t, &profile);
    if (result != NVML_SUCCESS)
        return result;
    if (count == NULL || instances == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    *count = 0;
    for (unsigned gi = 0; gi < MS_MAX_GIS; gi++)
        if (t.state->gi[gi].used && &t.model->gi[t.state->gi[gi].profile] == profile)
            instances[(*count)++] = ms_gi_handle(w, t.gpu, gi);
    return NVML_SUCCESS;
}
READ_CALL(nvmlDeviceGetGpuInstances,
          (nvmlDevice_t device, unsigned id, nvmlGpuInstance_t *instances, unsigned *count),
          (c.w, device, id, instances, count))

static nvmlReturn_t do_nvmlDeviceGetGpuInstanceById(struct ms_world *w, nvmlDevice_t device,
                                                    unsigned gi_id, nvmlGpuInstance_t *instance) {
    struct ms_target t;
    nvmlReturn_t result = privileged(w, device, &t);
    if (result != NVML_SUCCESS)
        return result;
    if (instance == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    if (gi_id >= MS_MAX_GIS || !t.state->gi[gi_id].used)
        return NVML_ERROR_NOT_FOUND;
    *instance = ms_gi_handle(w, t.gpu, gi_id);
    return NVML_SUCCESS;
}
READ_CALL(nvmlDeviceGetGpuInstanceById,
          (nvmlDevice_t device, unsigned gi_id, nvmlGpuInstance_t *instance),
          (c.w, device, gi_id, instance))

static nvmlReturn_t do_nvmlGpuInstanceGetInfo(struct ms_world *w, nvmlGpuInstance_t instance,
                                              nvmlGpuInstanceInfo_t *info) {
    struct ms_target t;
    nvmlReturn_t result = ms_gpu_instance(w, instance, &t);
    if (result != NVML_SUCCESS)
        return result;
    if (info == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    *info = (nvmlGpuInstanceInfo_t){ms_gpu_handle(t.gpu),
                                    t.gi_id,
                                    t.gi_profile->id,
                                    {t.gi->start, t.gi_profile->size}};
    return NVML_SUCCESS;
}
READ_CALL(nvmlGpuInstanceGetInfo, (nvmlGpuInstance_t instance, nvmlGpuInstanceInfo_t *info),
          (c.w, instance, info))
