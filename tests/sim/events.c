/* Event sets: each remembers, for each GPU, what it wants and how far it has read. */
#include "events.h"

#include <stdlib.h>
#include <time.h>

#include "call.h"
#include "handles.h"

#define SET_MAGIC 0x4556534554ull /* "EVSET" */

struct ms_event_set {
    uint64_t magic, read; /* sequence number of the last event looked at */
    uint64_t wanted[MS_MAX_GPUS];
};

void ms_add_event(struct ms_world *w, uint64_t type, uint64_t data, unsigned gpu, unsigned gi,
                  unsigned ci) {
    struct ms_live *live = w->live;
    struct ms_event *event = &live->events[live->n_events % MS_MAX_EVENTS];
    *event = (struct ms_event){++live->n_events, type, data, gpu, gi, ci};
}

static nvmlReturn_t do_nvmlEventSetCreate(struct ms_world *w, nvmlEventSet_t *set) {
    if (set == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    struct ms_event_set *made = calloc(1, sizeof *made);
    if (made == NULL)
        return NVML_ERROR_MEMORY;
    made->magic = SET_MAGIC;
    made->read = w->live->n_events;
    *set = made;
    return NVML_SUCCESS;
}
READ_CALL(nvmlEventSetCreate, (nvmlEventSet_t *set), (c.w, set))

static nvmlReturn_t do_nvmlEventSetFree(nvmlEventSet_t set) {
    if (set == NULL || set->magic != SET_MAGIC)
        return NVML_ERROR_INVALID_ARGUMENT;
    set->magic = 0;
    free(set);
    return NVML_SUCCESS;
}
READ_CALL(nvmlEventSetFree, (nvmlEventSet_t set), (set))

enum { KNOWN = EVENT_SINGLE_BIT_ECC | EVENT_DOUBLE_BIT_ECC | EVENT_XID | EVENT_MIG_CONFIG };

/* Only the whole GPU can be watched; events say which instance they come from. */
static nvmlReturn_t do_nvmlDeviceRegisterEvents(struct ms_world *w, nvmlDevice_t device,
                                                unsigned long long types, nvmlEventSet_t set) {
    struct ms_target t;
    nvmlReturn_t result = ms_whole_gpu(w, device, &t, NVML_ERROR_NOT_SUPPORTED);
    if (result != NVML_SUCCESS)
        return result;
    if (set == NULL || set->magic != SET_MAGIC)
        return NVML_ERROR_INVALID_ARGUMENT;
    if (types & ~(unsigned long long)KNOWN)
        return NVML_ERROR_NOT_SUPPORTED;
    set->wanted[t.gpu] |= types;
    return NVML_SUCCESS;
}
READ_CALL(nvmlDeviceRegisterEvents,
          (nvmlDevice_t device, unsigned long long types, nvmlEventSet_t set),
          (c.w, device, types, set))

static nvmlReturn_t do_nvmlDeviceGetSupportedEventTypes(struct ms_world *w, nvmlDevice_t device,
                                                        unsigned long long *types) {
    struct ms_target t;
    nvmlReturn_t result = ms_whole_gpu(w, device, &t, NVML_ERROR_NOT_SUPPORTED);
    if (result != NVML_SUCCESS)
        return result;
    if (types == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    *types = KNOWN;
    return NVML_SUCCESS;
}
READ_CALL(nvmlDeviceGetSupportedEventTypes, (nvmlDevice_t device, unsigned long long *types),
          (c.w, device, types))

/* The oldest event that the set wants; events older than the ring are lost, as real ones. */
static nvmlReturn_t look(const struct ms_world *w, nvmlEventSet_t set, nvmlEventData_t *data) {
    const struct ms_live *live = w->live;
    if (live->n_events > set->read + MS_MAX_EVENTS)
        set->read = live->n_events - MS_MAX_EVENTS;
    while (set->read < live->n_events) {
        const struct ms_event *event = &live->events[set->read++ % MS_MAX_EVENTS];
        if (!(set->wanted[event->gpu] & event->type))
            continue;
        *data = (nvmlEventData_t){ms_gpu_handle(event->gpu), event->type, event->data, event->gi,
                                  event->ci};
        return NVML_SUCCESS;
    }
    for (unsigned gpu = 0; gpu < w->fixed->n_gpus; gpu++)
        if (set->wanted[gpu] && live->gpus[gpu].lost)
            return NVML_ERROR_GPU_IS_LOST;
    return NVML_ERROR_TIMEOUT;
}

static uint64_t wall_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Waits outside the lock: other processes must be able to make the event happen. */
static nvmlReturn_t wait_for_event(const char *name, nvmlEventSet_t set, nvmlEventData_t *data,
                                   unsigned timeout_ms) {
    nvmlReturn_t result = ms_call_bare(name);
    if (result != NVML_SUCCESS)
        return result;
    if (set == NULL || set->magic != SET_MAGIC || data == NULL)
        return ms_call_bare_end(name, NVML_ERROR_INVALID_ARGUMENT);
    const struct timespec pause = {0, 5000000};
    for (uint64_t end = wall_ms() + timeout_ms;; nanosleep(&pause, NULL)) {
        struct ms_world w;
        result = ms_begin_read(ms_session(), &w);
        if (result != NVML_SUCCESS)
            break;
        result = look(&w, set, data);
        ms_end_read(&w);
        if (result != NVML_ERROR_TIMEOUT || wall_ms() >= end)
            break;
    }
    return ms_call_bare_end(name, result);
}

EXPORT nvmlReturn_t nvmlEventSetWait_v2(nvmlEventSet_t, nvmlEventData_t *, unsigned);
EXPORT nvmlReturn_t nvmlEventSetWait_v2(nvmlEventSet_t set, nvmlEventData_t *data,
                                        unsigned timeout_ms) {
    return wait_for_event("nvmlEventSetWait_v2", set, data, timeout_ms);
}

/* The first version's caller has room for the first three fields only. */
EXPORT nvmlReturn_t nvmlEventSetWait(nvmlEventSet_t, nvmlEventData_v1_t *, unsigned);
EXPORT nvmlReturn_t nvmlEventSetWait(nvmlEventSet_t set, nvmlEventData_v1_t *data,
                                     unsigned timeout_ms) {
    nvmlEventData_t full;
    nvmlReturn_t result =
        wait_for_event("nvmlEventSetWait", set, data == NULL ? NULL : &full, timeout_ms);
    if (result == NVML_SUCCESS)
        *data = (nvmlEventData_v1_t){full.device, full.eventType, full.eventData};
    return result;
}
