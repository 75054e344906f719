/* Making a machine, and making things happen to it. */
#include "admin.h"

#include <stdlib.h>
#include <string.h>

#include "events.h"
#include "geometry.h"
#include "process.h"

nvmlReturn_t migsim_new(const char *dir, const char *text, char *why, unsigned size) {
    struct ms_fixed *fixed = malloc(sizeof *fixed);
    if (fixed == NULL)
        return NVML_ERROR_MEMORY;
    nvmlReturn_t result = ms_parse(text, fixed, why, size);
    if (result == NVML_SUCCESS)
        result = ms_create(dir, fixed);
    free(fixed);
    return result;
}

/* Runs `body` on a copy of the state, kept if it leaves SUCCESS in `result`. */
#define CHANGE(dir, body)                                                                      \
    struct ms_file file;                                                                       \
    struct ms_world world, *w = &world;                                                        \
    nvmlReturn_t result = ms_open(dir, &file);                                                 \
    if (result != NVML_SUCCESS)                                                                \
        return result;                                                                         \
    result = ms_begin_write(&file, w);                                                         \
    if (result == NVML_SUCCESS) {                                                              \
        body;                                                                                  \
        ms_end_write(w, result == NVML_SUCCESS);                                               \
    }                                                                                          \
    ms_close(&file);                                                                           \
    return result

/* A GPU that is there; lost ones too, for a reset brings them back. */
static nvmlReturn_t check_gpu(const struct ms_world *w, unsigned gpu) {
    return gpu < w->fixed->n_gpus ? NVML_SUCCESS : NVML_ERROR_NOT_FOUND;
}

static nvmlReturn_t check_instance(const struct ms_world *w, unsigned gpu, unsigned gi,
                                   unsigned ci) {
    if (check_gpu(w, gpu) != NVML_SUCCESS)
        return NVML_ERROR_NOT_FOUND;
    if (gi == NO_INSTANCE)
        return ci == NO_INSTANCE ? NVML_SUCCESS : NVML_ERROR_INVALID_ARGUMENT;
    if (gi >= MS_MAX_GIS || !w->live->gpus[gpu].gi[gi].used)
        return NVML_ERROR_NOT_FOUND;
    if (ci != NO_INSTANCE && (ci >= MS_MAX_CIS || !w->live->gpus[gpu].gi[gi].ci[ci].used))
        return NVML_ERROR_NOT_FOUND;
    return NVML_SUCCESS;
}

static nvmlReturn_t set_mode(struct ms_world *w, unsigned gpu, unsigned mode) {
    if (check_gpu(w, gpu) != NVML_SUCCESS)
        return NVML_ERROR_NOT_FOUND;
    if (!ms_model_of(w, gpu)->mig)
        return NVML_ERROR_NOT_SUPPORTED;
    struct ms_gpu *state = &w->live->gpus[gpu];
    if (state->mode != mode)
        ms_clear_geometry(w, gpu);
    state->mode = state->mode_pending = mode;
    return NVML_SUCCESS;
}

nvmlReturn_t migsim_set_mode(const char *dir, unsigned gpu, unsigned mode) {
    CHANGE(dir, result = set_mode(w, gpu, mode));
}

static nvmlReturn_t create_gi(struct ms_world *w, unsigned gpu, unsigned id, unsigned start,
                              unsigned *gi_id) {
    if (check_gpu(w, gpu) != NVML_SUCCESS)
        return NVML_ERROR_NOT_FOUND;
    const struct ms_gi_profile *profile = ms_gi_by_id(ms_model_of(w, gpu), id);
    if (profile == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    if (!w->live->gpus[gpu].mode)
        return NVML_ERROR_NOT_SUPPORTED;
    return ms_create_gi(w, gpu, profile, start, gi_id);
}

nvmlReturn_t migsim_create_gi(const char *dir, unsigned gpu, unsigned profile_id, unsigned start,
                              unsigned *gi_id) {
    CHANGE(dir, result = create_gi(w, gpu, profile_id, start, gi_id));
}

static nvmlReturn_t create_ci(struct ms_world *w, unsigned gpu, unsigned gi, unsigned id,
                              unsigned start, unsigned *ci_id) {
    if (gi == NO_INSTANCE || check_instance(w, gpu, gi, NO_INSTANCE) != NVML_SUCCESS)
        return NVML_ERROR_NOT_FOUND;
    unsigned gi_profile = w->live->gpus[gpu].gi[gi].profile;
    const struct ms_ci_profile *profile = ms_ci_by_id(&ms_model_of(w, gpu)->gi[gi_profile], id);
    return profile == NULL ? NVML_ERROR_INVALID_ARGUMENT
                           : ms_create_ci(w, gpu, gi, profile, start, ci_id);
}

nvmlReturn_t migsim_create_ci(const char *dir, unsigned gpu, unsigned gi_id, unsigned profile_id,
                              unsigned start, unsigned *ci_id) {
    CHANGE(dir, result = create_ci(w, gpu, gi_id, profile_id, start, ci_id));
}

static void drop_processes(struct ms_world *w, unsigned gpu) {
    for (unsigned i = w->live->n_processes; i-- > 0;)
        if (w->live->processes[i].gpu == gpu)
            ms_drop_process(w, i);
}

static nvmlReturn_t clear(struct ms_world *w, unsigned gpu) {
    if (check_gpu(w, gpu) != NVML_SUCCESS)
        return NVML_ERROR_NOT_FOUND;
    drop_processes(w, gpu);
    ms_clear_geometry(w, gpu);
    return NVML_SUCCESS;
}

nvmlReturn_t migsim_clear(const char *dir, unsigned gpu) { CHANGE(dir, result = clear(w, gpu)); }

/* No family keeps its instances. Ampere keeps the mode in the board (and a pending one comes
 * into force); Hopper and later lose it with the driver's state. Volatile counters restart. */
static void restart_gpu(struct ms_world *w, unsigned gpu) {
    struct ms_gpu *state = &w->live->gpus[gpu];
    const struct ms_model *model = ms_model_of(w, gpu);
    ms_clear_geometry(w, gpu);
    state->mode = state->mode_pending = model->mode_survives_reboot ? state->mode_pending : 0;
    state->lost = 0;
    state->sbe = state->dbe = 0;
    state->busy_ns = 0;
    state->energy_since_ns = w->now_ns;
}

static nvmlReturn_t reset(struct ms_world *w, unsigned gpu) {
    if (check_gpu(w, gpu) != NVML_SUCCESS)
        return NVML_ERROR_NOT_FOUND;
    if (ms_holders(w, gpu, NO_INSTANCE, NO_INSTANCE) > 0)
        return NVML_ERROR_IN_USE;
    restart_gpu(w, gpu);
    return NVML_SUCCESS;
}

nvmlReturn_t migsim_reset(const char *dir, unsigned gpu) { CHANGE(dir, result = reset(w, gpu)); }

static nvmlReturn_t reboot(struct ms_world *w) {
    w->live->n_processes = 0;
    w->live->boot++;
    for (unsigned gpu = 0; gpu < w->fixed->n_gpus; gpu++)
        restart_gpu(w, gpu);
    return NVML_SUCCESS;
}

nvmlReturn_t migsim_reboot(const char *dir) { CHANGE(dir, result = reboot(w)); }

static nvmlReturn_t add_process(struct ms_world *w, struct ms_process process,
                                const struct ms_step *steps) {
    struct ms_live *live = w->live;
    nvmlReturn_t result = check_instance(w, process.gpu, process.gi, process.ci);
    if (result != NVML_SUCCESS)
        return result;
    if (live->gpus[process.gpu].lost)
        return NVML_ERROR_GPU_IS_LOST;
    if (live->n_processes == MS_MAX_PROCESSES || process.n_steps > MS_MAX_STEPS)
        return NVML_ERROR_INSUFFICIENT_RESOURCES;
    process.start_ticks = ms_start_ticks(process.pid);
    if (process.start_ticks == 0)
        return NVML_ERROR_NOT_FOUND;
    process.began_ns = w->now_ns;
    memcpy(process.steps, steps, process.n_steps * sizeof *steps);
    live->processes[live->n_processes++] = process;
    return NVML_SUCCESS;
}

nvmlReturn_t migsim_process_add(const char *dir, unsigned pid, unsigned kind, unsigned gpu,
                                unsigned gi, unsigned ci, const struct ms_step *steps,
                                unsigned n_steps) {
    struct ms_process process = {
        .pid = pid, .kind = kind, .gpu = gpu, .gi = gi, .ci = ci, .n_steps = n_steps};
    CHANGE(dir, result = add_process(w, process, steps));
}

static nvmlReturn_t remove_process(struct ms_world *w, unsigned pid) {
    nvmlReturn_t result = NVML_ERROR_NOT_FOUND;
    for (unsigned i = w->live->n_processes; i-- > 0;) {
        if (w->live->processes[i].pid != pid)
            continue;
        ms_drop_process(w, i);
        result = NVML_SUCCESS;
    }
    return result;
}

nvmlReturn_t migsim_process_remove(const char *dir, unsigned pid) {
    CHANGE(dir, result = remove_process(w, pid));
}

nvmlReturn_t migsim_lose(const char *dir, unsigned gpu, unsigned lost) {
    CHANGE(dir, {
        result = check_gpu(w, gpu);
        if (result == NVML_SUCCESS)
            w->live->gpus[gpu].lost = lost;
    });
}

nvmlReturn_t migsim_xid(const char *dir, unsigned gpu, unsigned xid, unsigned gi, unsigned ci) {
    CHANGE(dir, {
        result = check_instance(w, gpu, gi, ci);
        if (result == NVML_SUCCESS)
            ms_add_event(w, EVENT_XID, xid, gpu, gi, ci);
    });
}

static nvmlReturn_t ecc(struct ms_world *w, unsigned gpu, unsigned gi, unsigned uncorrected,
                        unsigned count) {
    nvmlReturn_t result = check_instance(w, gpu, gi, NO_INSTANCE);
    if (result != NVML_SUCCESS)
        return result;
    struct ms_gpu *state = &w->live->gpus[gpu];
    *(uncorrected ? &state->dbe : &state->sbe) += count;
    if (uncorrected && gi != NO_INSTANCE)
        state->gi[gi].sram_uncorrected += count;
    ms_add_event(w, uncorrected ? EVENT_DOUBLE_BIT_ECC : EVENT_SINGLE_BIT_ECC, count, gpu, gi,
                 NO_INSTANCE);
    return NVML_SUCCESS;
}

nvmlReturn_t migsim_ecc(const char *dir, unsigned gpu, unsigned gi, unsigned uncorrected,
                        unsigned count) {
    CHANGE(dir, result = ecc(w, gpu, gi, uncorrected, count));
}

static nvmlReturn_t add_fault(struct ms_world *w, struct ms_fault fault, const char *call) {
    struct ms_shared *shared = &w->file->image->shared;
    if (shared->n_faults == MS_MAX_FAULTS || strlen(call) >= sizeof fault.call)
        return NVML_ERROR_INSUFFICIENT_RESOURCES;
    strcpy(fault.call, call);
    shared->faults[shared->n_faults] = fault;
    __atomic_store_n(&shared->faults[shared->n_faults].used, 1, __ATOMIC_RELEASE);
    __atomic_fetch_add(&shared->n_faults, 1, __ATOMIC_RELEASE);
    return NVML_SUCCESS;
}

nvmlReturn_t migsim_fault_add(const char *dir, const char *call, unsigned pid, uint64_t after,
                              unsigned once, unsigned when, unsigned kill, unsigned hang_ms,
                              int code) {
    struct ms_fault fault = {.pid = pid,
                             .after = after,
                             .once = once,
                             .when = when,
                             .kill = kill,
                             .hang_ms = hang_ms,
                             .code = code};
    CHANGE(dir, result = add_fault(w, fault, call));
}

nvmlReturn_t migsim_fault_clear(const char *dir) {
    CHANGE(dir, {
        struct ms_shared *shared = &w->file->image->shared;
        for (unsigned i = 0; i < MS_MAX_FAULTS; i++)
            __atomic_store_n(&shared->faults[i].used, 0, __ATOMIC_RELEASE);
        __atomic_store_n(&shared->n_faults, 0, __ATOMIC_RELEASE);
    });
}

nvmlReturn_t migsim_trace_to(const char *dir, const char *path) {
    CHANGE(dir, {
        struct ms_shared *shared = &w->file->image->shared;
        if (strlen(path) < sizeof shared->trace)
            strcpy(shared->trace, path);
        else
            result = NVML_ERROR_INVALID_ARGUMENT;
    });
}

nvmlReturn_t migsim_clock(const char *dir, unsigned frozen, int64_t ns) {
    CHANGE(dir, {
        struct ms_shared *shared = &w->file->image->shared;
        int64_t now = (int64_t)w->now_ns;
        __atomic_store_n(&shared->frozen, 1, __ATOMIC_SEQ_CST);
        __atomic_store_n(&shared->clock_ns, now + ns, __ATOMIC_SEQ_CST);
        if (!frozen) {
            /* From here on the clock is the machine's plus what it was moved by. */
            __atomic_store_n(&shared->clock_ns, 0, __ATOMIC_SEQ_CST);
            __atomic_store_n(&shared->frozen, 0, __ATOMIC_SEQ_CST);
            int64_t machine = (int64_t)ms_now(w->file);
            __atomic_store_n(&shared->clock_ns, now + ns - machine, __ATOMIC_SEQ_CST);
        }
    });
}
