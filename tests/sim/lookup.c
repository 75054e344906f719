/* From an index, a UUID, a bus id or a serial to a handle; and the slots of MIG devices. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "call.h"
#include "geometry.h"
#include "handles.h"
#include "identity.h"

static nvmlReturn_t do_nvmlDeviceGetCount_v2(struct ms_world *w, unsigned *count) {
    if (count == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    *count = w->fixed->n_gpus;
    return NVML_SUCCESS;
}
READ_CALL(nvmlDeviceGetCount_v2, (unsigned *count), (c.w, count))
READ_CALL_AS(nvmlDeviceGetCount, nvmlDeviceGetCount_v2, (unsigned *count), (c.w, count))

static nvmlReturn_t gpu_at(const struct ms_world *w, unsigned gpu, nvmlDevice_t *device) {
    if (device == NULL || gpu >= w->fixed->n_gpus)
        return NVML_ERROR_INVALID_ARGUMENT;
    if (w->live->gpus[gpu].lost)
        return NVML_ERROR_GPU_IS_LOST;
    *device = ms_gpu_handle(gpu);
    return NVML_SUCCESS;
}

static nvmlReturn_t do_nvmlDeviceGetHandleByIndex_v2(struct ms_world *w, unsigned gpu,
                                                     nvmlDevice_t *device) {
    return gpu_at(w, gpu, device);
}
READ_CALL(nvmlDeviceGetHandleByIndex_v2, (unsigned gpu, nvmlDevice_t *device),
          (c.w, gpu, device))
READ_CALL_AS(nvmlDeviceGetHandleByIndex, nvmlDeviceGetHandleByIndex_v2,
             (unsigned gpu, nvmlDevice_t *device), (c.w, gpu, device))

/* "0000:17:00.0", "00000000:17:00.0" or "17:00.0", in any case. */
static nvmlReturn_t do_nvmlDeviceGetHandleByPciBusId_v2(struct ms_world *w, const char *text,
                                                        nvmlDevice_t *device) {
    unsigned domain = 0, bus = 0, slot = 0, function = 0;
    if (text == NULL || device == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    if (sscanf(text, "%x:%x:%x.%x", &domain, &bus, &slot, &function) != 4) {
        domain = 0;
        if (sscanf(text, "%x:%x.%x", &bus, &slot, &function) != 3)
            return NVML_ERROR_INVALID_ARGUMENT;
    }
    for (unsigned gpu = 0; gpu < w->fixed->n_gpus; gpu++) {
        const struct ms_gpu_fixed *f = &w->fixed->gpus[gpu];
        if (f->domain == domain && f->bus == bus && f->device == slot && function == 0)
            return gpu_at(w, gpu, device);
    }
    return NVML_ERROR_NOT_FOUND;
}
READ_CALL(nvmlDeviceGetHandleByPciBusId_v2, (const char *text, nvmlDevice_t *device),
          (c.w, text, device))
READ_CALL_AS(nvmlDeviceGetHandleByPciBusId, nvmlDeviceGetHandleByPciBusId_v2,
             (const char *text, nvmlDevice_t *device), (c.w, text, device))

static nvmlReturn_t do_nvmlDeviceGetHandleBySerial(struct ms_world *w, const char *serial,
                                                   nvmlDevice_t *device) {
    if (serial == NULL || device == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    for (unsigned gpu = 0; gpu < w->fixed->n_gpus; gpu++)
        if (strcmp(w->fixed->gpus[gpu].serial, serial) == 0)
            return gpu_at(w, gpu, device);
    return NVML_ERROR_NOT_FOUND;
}
READ_CALL(nvmlDeviceGetHandleBySerial, (const char *serial, nvmlDevice_t *device),
          (c.w, serial, device))

/* --- MIG devices: compute instances in the order of (GI id, CI id), counted from 0. --- */

static unsigned slot_of(const struct ms_world *w, unsigned gpu, unsigned position) {
    const struct ms_gpu *state = &w->live->gpus[gpu];
    unsigned total = 0;
    for (unsigned gi = 0; gi < MS_MAX_GIS; gi++)
        for (unsigned ci = 0; ci < MS_MAX_CIS; ci++)
            total += state->gi[gi].used && state->gi[gi].ci[ci].used;
    /* A hole needs a free slot: real holes come from destroyed devices. */
    bool gap = w->fixed->gap && total < ms_max_mig_devices(ms_model_of(w, gpu));
    return gap && position > 0 ? position + 1 : position;
}

struct place {
    unsigned gi, ci;
};

/* Calls `found` for every MIG device until it answers true. */
static bool each_mig(const struct ms_world *w, unsigned gpu,
                     bool (*found)(const struct ms_world *, const struct ms_target *,
                                   unsigned index, const void *wanted),
                     const void *wanted, struct place *place) {
    unsigned position = 0;
    struct ms_target t;
    if (ms_gpu_target(w, gpu, &t) != NVML_SUCCESS)
        return false;
    for (unsigned gi = 0; gi < MS_MAX_GIS; gi++) {
        for (unsigned ci = 0; ci < MS_MAX_CIS; ci++) {
            t.gi = &t.state->gi[gi];
            t.ci = &t.gi->ci[ci];
            if (!t.gi->used || !t.ci->used)
                continue;
            t.gi_id = gi;
            t.ci_id = ci;
            t.gi_profile = &t.model->gi[t.gi->profile];
            t.ci_profile = &t.gi_profile->ci[t.ci->profile];
            *place = (struct place){gi, ci};
            if (found(w, &t, slot_of(w, gpu, position++), wanted))
                return true;
        }
    }
    return false;
}

static bool has_index(const struct ms_world *w, const struct ms_target *t, unsigned index,
                      const void *wanted) {
    (void)w, (void)t;
    return index == *(const unsigned *)wanted;
}

static bool has_uuid(const struct ms_world *w, const struct ms_target *t, unsigned index,
                     const void *wanted) {
    (void)w, (void)index;
    char uuid[UUID_SIZE];
    ms_mig_uuid(t, uuid);
    return strcasecmp(uuid, wanted) == 0;
}

struct counting {
    const struct ms_target *target;
    unsigned *index;
};

static bool is_target(const struct ms_world *w, const struct ms_target *t, unsigned index,
                      const void *wanted) {
    (void)w;
    const struct counting *counting = wanted;
    *counting->index = index;
    return t->gi_id == counting->target->gi_id && t->ci_id == counting->target->ci_id;
}

unsigned ms_mig_index(const struct ms_world *w, const struct ms_target *t) {
    unsigned index = NO_INSTANCE;
    struct place place;
    struct counting counting = {t, &index};
    return each_mig(w, t->gpu, is_target, &counting, &place) ? index : NO_INSTANCE;
}

static nvmlReturn_t do_nvmlDeviceGetMigDeviceHandleByIndex(struct ms_world *w,
                                                           nvmlDevice_t device, unsigned index,
                                                           nvmlDevice_t *mig) {
    struct ms_target t;
    struct place place;
    nvmlReturn_t result = ms_whole_gpu(w, device, &t, NVML_ERROR_INVALID_ARGUMENT);
    if (result != NVML_SUCCESS)
        return result;
    if (mig == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    if (!t.state->mode)
        return t.model->mig ? NVML_ERROR_NOT_FOUND : NVML_ERROR_NOT_SUPPORTED;
    if (!each_mig(w, t.gpu, has_index, &index, &place))
        return NVML_ERROR_NOT_FOUND;
    *mig = ms_mig_handle(w, t.gpu, place.gi, place.ci);
    return NVML_SUCCESS;
}
READ_CALL(nvmlDeviceGetMigDeviceHandleByIndex,
          (nvmlDevice_t device, unsigned index, nvmlDevice_t *mig), (c.w, device, index, mig))

/* "MIG-GPU-<uuid>/<gi>/<ci>": the older spelling, still understood. */
static nvmlReturn_t by_path(const struct ms_world *w, const char *text, nvmlDevice_t *device) {
    char uuid[UUID_SIZE];
    unsigned gi, ci;
    if (sscanf(text, "MIG-%47[^/]/%u/%u", uuid, &gi, &ci) != 3)
        return NVML_ERROR_NOT_FOUND;
    for (unsigned gpu = 0; gpu < w->fixed->n_gpus; gpu++) {
        const struct ms_gpu *state = &w->live->gpus[gpu];
        if (strcasecmp(w->fixed->gpus[gpu].uuid, uuid) != 0 || gi >= MS_MAX_GIS ||
            ci >= MS_MAX_CIS || !state->gi[gi].used || !state->gi[gi].ci[ci].used)
            continue;
        if (state->lost)
            return NVML_ERROR_GPU_IS_LOST;
        *device = ms_mig_handle(w, gpu, gi, ci);
        return NVML_SUCCESS;
    }
    return NVML_ERROR_NOT_FOUND;
}

static nvmlReturn_t do_nvmlDeviceGetHandleByUUID(struct ms_world *w, const char *uuid,
                                                 nvmlDevice_t *device) {
    if (uuid == NULL || device == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    if (strncmp(uuid, "MIG-GPU-", 8) == 0)
        return by_path(w, uuid, device);
    for (unsigned gpu = 0; gpu < w->fixed->n_gpus; gpu++) {
        struct place place;
        if (strcasecmp(w->fixed->gpus[gpu].uuid, uuid) == 0)
            return gpu_at(w, gpu, device);
        if (each_mig(w, gpu, has_uuid, uuid, &place)) {
            *device = ms_mig_handle(w, gpu, place.gi, place.ci);
            return NVML_SUCCESS;
        }
    }
    return NVML_ERROR_NOT_FOUND;
}
READ_CALL(nvmlDeviceGetHandleByUUID, (const char *uuid, nvmlDevice_t *device),
          (c.w, uuid, device))
