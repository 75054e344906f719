/* MIG mode, and what MIG device handles answer about themselves. */
#include "call.h"
#include "geometry.h"
#include "handles.h"
#include "process.h"

static nvmlReturn_t do_nvmlDeviceGetMigMode(struct ms_world *w, nvmlDevice_t device,
                                            unsigned *current, unsigned *pending) {
    struct ms_target t;
    nvmlReturn_t result = ms_whole_gpu(w, device, &t, NVML_ERROR_INVALID_ARGUMENT);
    if (result != NVML_SUCCESS)
        return result;
    if (current == NULL || pending == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    if (!t.model->mig)
        return NVML_ERROR_NOT_SUPPORTED;
    *current = t.state->mode;
    *pending = t.state->mode_pending;
    return NVML_SUCCESS;
}
READ_CALL(nvmlDeviceGetMigMode, (nvmlDevice_t device, unsigned *current, unsigned *pending),
          (c.w, device, current, pending))

/* Two answers: the call's own, and how far the change got. The trouble is in the second: the
 * mode stays pending, until a reset (Ampere) or until it is asked again (IN_USE). */
static nvmlReturn_t do_nvmlDeviceSetMigMode(struct ms_world *w, nvmlDevice_t device,
                                            unsigned mode, nvmlReturn_t *activation) {
    struct ms_target t;
    nvmlReturn_t result = ms_whole_gpu(w, device, &t, NVML_ERROR_INVALID_ARGUMENT);
    if (result != NVML_SUCCESS)
        return result;
    if (activation == NULL || mode > 1)
        return NVML_ERROR_INVALID_ARGUMENT;
    if (!t.model->mig)
        return NVML_ERROR_NOT_SUPPORTED;
    if (!ms_privileged())
        return NVML_ERROR_NO_PERMISSION;
    t.state->mode_pending = mode;
    *activation = NVML_SUCCESS;
    if (t.state->mode == mode)
        return NVML_SUCCESS;
    if (ms_count_gis(t.state) > 0 || ms_holders(w, t.gpu, NO_INSTANCE, NO_INSTANCE) > 0)
        *activation = NVML_ERROR_IN_USE;
    else if (t.model->reset_for_mode)
        *activation = NVML_ERROR_RESET_REQUIRED;
    else
        t.state->mode = mode;
    return NVML_SUCCESS;
}
WRITE_CALL(nvmlDeviceSetMigMode,
           (nvmlDevice_t device, unsigned mode, nvmlReturn_t *activation),
           (c.w, device, mode, activation))

static nvmlReturn_t do_nvmlDeviceGetMaxMigDeviceCount(struct ms_world *w, nvmlDevice_t device,
                                                      unsigned *count) {
    struct ms_target t;
    nvmlReturn_t result = ms_whole_gpu(w, device, &t, NVML_ERROR_INVALID_ARGUMENT);
    if (result != NVML_SUCCESS)
        return result;
    if (count == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    *count = t.state->mode ? ms_max_mig_devices(t.model) : 0;
    return NVML_SUCCESS;
}
READ_CALL(nvmlDeviceGetMaxMigDeviceCount, (nvmlDevice_t device, unsigned *count),
          (c.w, device, count))

static nvmlReturn_t do_nvmlDeviceIsMigDeviceHandle(struct ms_world *w, nvmlDevice_t device,
                                                   unsigned *is_mig) {
    struct ms_target t;
    nvmlReturn_t result = ms_device(w, device, &t);
    if (result != NVML_SUCCESS)
        return result;
    if (is_mig == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    *is_mig = t.gi != NULL;
    return NVML_SUCCESS;
}
READ_CALL(nvmlDeviceIsMigDeviceHandle, (nvmlDevice_t device, unsigned *is_mig),
          (c.w, device, is_mig))

static nvmlReturn_t mig_with(const struct ms_world *w, nvmlDevice_t device, const void *out,
                             struct ms_target *t) {
    nvmlReturn_t result = ms_mig_device(w, device, t, NVML_ERROR_NOT_SUPPORTED);
    return result == NVML_SUCCESS && out == NULL ? NVML_ERROR_INVALID_ARGUMENT : result;
}

static nvmlReturn_t do_nvmlDeviceGetGpuInstanceId(struct ms_world *w, nvmlDevice_t device,
                                                  unsigned *id) {
    struct ms_target t;
    nvmlReturn_t result = mig_with(w, device, id, &t);
    if (result == NVML_SUCCESS)
        *id = t.gi_id;
    return result;
}
READ_CALL(nvmlDeviceGetGpuInstanceId, (nvmlDevice_t device, unsigned *id), (c.w, device, id))

static nvmlReturn_t do_nvmlDeviceGetComputeInstanceId(struct ms_world *w, nvmlDevice_t device,
                                                      unsigned *id) {
    struct ms_target t;
    nvmlReturn_t result = mig_with(w, device, id, &t);
    if (result == NVML_SUCCESS)
        *id = t.ci_id;
    return result;
}
READ_CALL(nvmlDeviceGetComputeInstanceId, (nvmlDevice_t device, unsigned *id),
          (c.w, device, id))

static nvmlReturn_t do_nvmlDeviceGetDeviceHandleFromMigDeviceHandle(struct ms_world *w,
                                                                    nvmlDevice_t device,
                                                                    nvmlDevice_t *parent) {
    struct ms_target t;
    nvmlReturn_t result = ms_mig_device(w, device, &t, NVML_ERROR_INVALID_ARGUMENT);
    if (result == NVML_SUCCESS && parent == NULL)
        result = NVML_ERROR_INVALID_ARGUMENT;
    if (result == NVML_SUCCESS)
        *parent = ms_gpu_handle(t.gpu);
    return result;
}
READ_CALL(nvmlDeviceGetDeviceHandleFromMigDeviceHandle,
          (nvmlDevice_t device, nvmlDevice_t *parent), (c.w, device, parent))

static nvmlReturn_t do_nvmlDeviceGetAttributes_v2(struct ms_world *w, nvmlDevice_t device,
                                                  nvmlDeviceAttributes_t *attributes) {
    struct ms_target t;
    nvmlReturn_t result = mig_with(w, device, attributes, &t);
    if (result != NVML_SUCCESS)
        return result;
    *attributes = (nvmlDeviceAttributes_t){.multiprocessorCount = t.ci_profile->sm,
                                           .sharedCopyEngineCount = t.gi_profile->copy_engines,
                                           .gpuInstanceSliceCount = t.gi_profile->slices,
                                           .computeInstanceSliceCount = t.ci_profile->slices,
                                           .memorySizeMB = t.gi_profile->memory_mib};
    return NVML_SUCCESS;
}
READ_CALL(nvmlDeviceGetAttributes_v2, (nvmlDevice_t device, nvmlDeviceAttributes_t *attributes),
          (c.w, device, attributes))
READ_CALL_AS(nvmlDeviceGetAttributes, nvmlDeviceGetAttributes_v2,
             (nvmlDevice_t device, nvmlDeviceAttributes_t *attributes),
             (c.w, device, attributes))
