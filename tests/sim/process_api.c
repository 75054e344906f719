/* NVML's lists of running processes, in the three layouts that clients were built for. */
#include "call.h"
#include "handles.h"
#include "process.h"

/* A MIG device lists its own; a GPU lists all, with their instances. DCGM and its like hold
 * the GPU without being listed. */
static bool listed(const struct ms_process *p, const struct ms_target *t, enum ms_kind kind) {
    return p->kind == kind && p->gpu == t->gpu &&
           (t->gi == NULL || (p->gi == t->gi_id && p->ci == t->ci_id));
}

static unsigned count_listed(const struct ms_world *w, const struct ms_target *t,
                             enum ms_kind kind) {
    unsigned n = 0;
    for (unsigned i = 0; i < w->live->n_processes; i++)
        n += listed(&w->live->processes[i], t, kind);
    return n;
}

/* Finds the target and says how many there are; INSUFFICIENT_SIZE if the caller's array is
 * too small, as NVML does, even for its question with room for none. */
static nvmlReturn_t prepare(const struct ms_world *w, nvmlDevice_t device, unsigned *count,
                            const void *infos, enum ms_kind kind, struct ms_target *t) {
    nvmlReturn_t result = ms_device(w, device, t);
    if (result != NVML_SUCCESS)
        return result;
    if (count == NULL || (*count > 0 && infos == NULL))
        return NVML_ERROR_INVALID_ARGUMENT;
    unsigned room = *count;
    *count = count_listed(w, t, kind);
    return *count > room ? NVML_ERROR_INSUFFICIENT_SIZE : NVML_SUCCESS;
}

static nvmlReturn_t list_v1(struct ms_world *w, nvmlDevice_t device, unsigned *count,
                            nvmlProcessInfo_v1_t *infos, enum ms_kind kind) {
    struct ms_target t;
    nvmlReturn_t result = prepare(w, device, count, infos, kind, &t);
    for (unsigned i = 0; result == NVML_SUCCESS && i < w->live->n_processes; i++) {
        const struct ms_process *p = &w->live->processes[i];
        if (listed(p, &t, kind))
            *infos++ = (nvmlProcessInfo_v1_t){p->pid, ms_process_memory(p, w->now_ns)};
    }
    return result;
}

static nvmlReturn_t list_v2(struct ms_world *w, nvmlDevice_t device, unsigned *count,
                            nvmlProcessInfo_v2_t *infos, enum ms_kind kind) {
    struct ms_target t;
    nvmlReturn_t result = prepare(w, device, count, infos, kind, &t);
    for (unsigned i = 0; result == NVML_SUCCESS && i < w->live->n_processes; i++) {
        const struct ms_process *p = &w->live->processes[i];
        if (listed(p, &t, kind))
            *infos++ = (nvmlProcessInfo_v2_t){p->pid, ms_process_memory(p, w->now_ns), p->gi,
                                              p->ci};
    }
    return result;
}

#define LISTS(kind_name, kind)                                                                 \
    READ_CALL_AS(nvmlDeviceGet##kind_name##RunningProcesses, list_v1_of_##kind,                \
                 (nvmlDevice_t device, unsigned *count, nvmlProcessInfo_v1_t *infos),          \
                 (c.w, device, count, infos, kind))                                            \
    READ_CALL_AS(nvmlDeviceGet##kind_name##RunningProcesses_v2, list_v2_of_##kind,             \
                 (nvmlDevice_t device, unsigned *count, nvmlProcessInfo_v2_t *infos),          \
                 (c.w, device, count, infos, kind))                                            \
    READ_CALL_AS(nvmlDeviceGet##kind_name##RunningProcesses_v3, list_v2_of_##kind,             \
                 (nvmlDevice_t device, unsigned *count, nvmlProcessInfo_v2_t *infos),          \
                 (c.w, device, count, infos, kind))
#define do_list_v1_of_MS_COMPUTE list_v1
#define do_list_v2_of_MS_COMPUTE list_v2
#define do_list_v1_of_MS_GRAPHICS list_v1
#define do_list_v2_of_MS_GRAPHICS list_v2
LISTS(Compute, MS_COMPUTE)
LISTS(Graphics, MS_GRAPHICS)

static nvmlReturn_t do_nvmlDeviceGetRunningProcessDetailList(struct ms_world *w,
                                                             nvmlDevice_t device,
                                                             nvmlProcessDetailList_v1_t *list) {
    struct ms_target t;
    if (list == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    if (list->version != PROCESS_DETAIL_LIST_V1)
        return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    if (list->mode > 1) /* compute, graphics; MPS is not simulated */
        return NVML_ERROR_NOT_SUPPORTED;
    enum ms_kind kind = list->mode == 0 ? MS_COMPUTE : MS_GRAPHICS;
    nvmlReturn_t result =
        prepare(w, device, &list->numProcArrayEntries, list->procArray, kind, &t);
    nvmlProcessDetail_v1_t *detail = list->procArray;
    for (unsigned i = 0; result == NVML_SUCCESS && i < w->live->n_processes; i++) {
        const struct ms_process *p = &w->live->processes[i];
        if (listed(p, &t, kind))
            *detail++ = (nvmlProcessDetail_v1_t){p->pid, ms_process_memory(p, w->now_ns), p->gi,
                                                 p->ci, 0};
    }
    return result;
}
READ_CALL(nvmlDeviceGetRunningProcessDetailList,
          (nvmlDevice_t device, nvmlProcessDetailList_v1_t *list), (c.w, device, list))
