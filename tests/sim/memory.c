/* Memory: of a GPU instance (its compute instances share it) or of the whole GPU. */
#include "call.h"
#include "handles.h"
#include "process.h"

#define MIB (1024ull * 1024)

struct memory {
    uint64_t total, reserved, used;
};

/* What an idle GPU instance shows as used: 26, 17 and 9 MiB on 3g, 2g and 1g (H100 captures). */
static uint64_t idle_of(const struct ms_gi_profile *profile) {
    return (profile->slices == 1 ? 9 : 26 * (uint64_t)profile->slices / 3) * MIB;
}

static struct memory of_instance(const struct ms_world *w, const struct ms_target *t) {
    struct memory m = {t->gi_profile->memory_mib * MIB, idle_of(t->gi_profile), 0};
    m.used = m.reserved + ms_memory_used(w, t->gpu, t->gi_id);
    return m;
}

static struct memory of_gpu(const struct ms_world *w, const struct ms_target *t) {
    struct memory m = {t->model->memory_mib * MIB, 0, 0};
    for (unsigned gi = 0; gi < MS_MAX_GIS; gi++)
        if (t->state->gi[gi].used)
            m.reserved += idle_of(&t->model->gi[t->state->gi[gi].profile]);
    if (m.reserved == 0)
        m.reserved = MIB;
    m.used = m.reserved + ms_memory_used(w, t->gpu, NO_INSTANCE);
    return m;
}

/* With MIG on, the sum over all instances is for root only (nvml.h). */
static nvmlReturn_t measure(const struct ms_world *w, nvmlDevice_t device, const void *out,
                            struct memory *m) {
    struct ms_target t;
    nvmlReturn_t result = ms_device(w, device, &t);
    if (result != NVML_SUCCESS)
        return result;
    if (out == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    if (t.gi == NULL && t.state->mode && !ms_privileged())
        return NVML_ERROR_NO_PERMISSION;
    *m = t.gi == NULL ? of_gpu(w, &t) : of_instance(w, &t);
    if (m->used > m->total)
        m->used = m->total;
    return NVML_SUCCESS;
}

static nvmlReturn_t do_nvmlDeviceGetMemoryInfo(struct ms_world *w, nvmlDevice_t device,
                                               nvmlMemory_t *memory) {
    struct memory m;
    nvmlReturn_t result = measure(w, device, memory, &m);
    if (result == NVML_SUCCESS)
        *memory = (nvmlMemory_t){m.total, m.total - m.used, m.used};
    return result;
}
READ_CALL(nvmlDeviceGetMemoryInfo, (nvmlDevice_t device, nvmlMemory_t *memory),
          (c.w, device, memory))

/* The second version tells what the driver reserved apart from what is used. */
static nvmlReturn_t do_nvmlDeviceGetMemoryInfo_v2(struct ms_world *w, nvmlDevice_t device,
                                                  nvmlMemory_v2_t *memory) {
    struct memory m;
    nvmlReturn_t result = measure(w, device, memory, &m);
    if (result != NVML_SUCCESS)
        return result;
    if (memory->version != MEMORY_V2)
        return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    *memory = (nvmlMemory_v2_t){MEMORY_V2, m.total, m.reserved, m.total - m.used,
                                m.used - m.reserved};
    return NVML_SUCCESS;
}
READ_CALL(nvmlDeviceGetMemoryInfo_v2, (nvmlDevice_t device, nvmlMemory_v2_t *memory),
          (c.w, device, memory))

static nvmlReturn_t do_nvmlDeviceGetBAR1MemoryInfo(struct ms_world *w, nvmlDevice_t device,
                                                   nvmlBAR1Memory_t *bar1) {
    struct ms_target t;
    nvmlReturn_t result = ms_device(w, device, &t);
    if (result != NVML_SUCCESS)
        return result;
    if (bar1 == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    uint64_t total = 131072 * MIB;
    if (t.gi != NULL)
        total = total / t.model->units * t.gi_profile->size;
    *bar1 = (nvmlBAR1Memory_t){total, total - MIB, MIB};
    return NVML_SUCCESS;
}
READ_CALL(nvmlDeviceGetBAR1MemoryInfo, (nvmlDevice_t device, nvmlBAR1Memory_t *bar1),
          (c.w, device, bar1))
