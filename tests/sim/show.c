/* The live state as JSON text, for people and for tests. */
#include <stdarg.h>
#include <stdio.h>

#include "admin.h"
#include "identity.h"
#include "process.h"

struct out {
    char *text;
    unsigned size, used; /* `used` goes on counting when the text is full */
};

__attribute__((format(printf, 2, 3))) static void put(struct out *out, const char *format, ...) {
    va_list values;
    va_start(values, format);
    bool room = out->used < out->size;
    int length = vsnprintf(room ? out->text + out->used : NULL, room ? out->size - out->used : 0,
                           format, values);
    va_end(values);
    out->used += (unsigned)length;
}

static const char *comma(unsigned *n) { return (*n)++ > 0 ? "," : ""; }

static void put_cis(struct out *out, const struct ms_world *w, struct ms_target *t) {
    unsigned n = 0;
    for (unsigned ci = 0; ci < MS_MAX_CIS; ci++) {
        if (!t->gi->ci[ci].used)
            continue;
        char uuid[UUID_SIZE];
        t->ci = &t->gi->ci[ci];
        t->ci_id = ci;
        t->ci_profile = &t->gi_profile->ci[t->ci->profile];
        ms_mig_uuid(t, uuid);
        put(out,
            "%s{\"ci_id\":%u,\"mig_index\":%u,\"uuid\":\"%s\",\"profile\":\"%s\","
            "\"profile_id\":%u,\"slices\":%u,\"sm_count\":%u,"
            "\"placement\":{\"start\":%u,\"size\":%u}}",
            comma(&n), ci, ms_mig_index(w, t), uuid, t->ci_profile->name, t->ci_profile->id,
            t->ci_profile->slices, t->ci_profile->sm, t->ci->start, t->ci_profile->size);
    }
}

static void put_gis(struct out *out, const struct ms_world *w, struct ms_target *t) {
    unsigned n = 0;
    for (unsigned gi = 0; gi < MS_MAX_GIS; gi++) {
        if (!t->state->gi[gi].used)
            continue;
        t->gi = &t->state->gi[gi];
        t->gi_id = gi;
        t->gi_profile = &t->model->gi[t->gi->profile];
        put(out,
            "%s{\"gi_id\":%u,\"profile\":\"%s\",\"profile_id\":%u,\"slices\":%u,"
            "\"memory_mib\":%u,\"placement\":{\"start\":%u,\"size\":%u},"
            "\"sram_uncorrected\":%llu,\"compute_instances\":[",
            comma(&n), gi, t->gi_profile->name, t->gi_profile->id, t->gi_profile->slices,
            t->gi_profile->memory_mib, t->gi->start, t->gi_profile->size,
            (unsigned long long)t->gi->sram_uncorrected);
        put_cis(out, w, t);
        put(out, "]}");
    }
}

static void put_gpus(struct out *out, const struct ms_world *w) {
    for (unsigned gpu = 0; gpu < w->fixed->n_gpus; gpu++) {
        struct ms_target t;
        ms_gpu_target(w, gpu, &t);
        put(out,
            "%s{\"gpu_index\":%u,\"gpu_minor\":%u,\"uuid\":\"%s\",\"name\":\"%s\","
            "\"pci_bus_id\":\"%08X:%02X:%02X.0\",\"mig_capable\":%s,\"lost\":%s,"
            "\"mig_mode\":{\"current\":%u,\"pending\":%u},\"gpu_instances\":[",
            gpu > 0 ? "," : "", gpu, t.fixed->minor, t.fixed->uuid, t.model->name,
            t.fixed->domain, t.fixed->bus, t.fixed->device, t.model->mig ? "true" : "false",
            t.state->lost ? "true" : "false", t.state->mode, t.state->mode_pending);
        if (!t.state->lost)
            put_gis(out, w, &t);
        put(out, "]}");
    }
}

static void put_processes(struct out *out, const struct ms_world *w) {
    static const char *const kinds[] = {"compute", "graphics", "client"};
    for (unsigned i = 0; i < w->live->n_processes; i++) {
        const struct ms_process *p = &w->live->processes[i];
        put(out, "%s{\"pid\":%u,\"kind\":\"%s\",\"gpu_index\":%u,", i > 0 ? "," : "", p->pid,
            kinds[p->kind], p->gpu);
        if (p->gi == NO_INSTANCE)
            put(out, "\"gi_id\":null,\"ci_id\":null,");
        else
            put(out, "\"gi_id\":%u,\"ci_id\":%u,", p->gi, p->ci);
        put(out, "\"memory\":%llu,\"activity\":%.4f,\"busy_s\":%.6f}",
            (unsigned long long)ms_process_memory(p, w->now_ns), ms_process_activity(p, w->now_ns),
            ms_process_busy_ns(p, w->now_ns) / 1e9);
    }
}

static void put_faults(struct out *out, const struct ms_world *w) {
    const struct ms_shared *shared = &w->file->image->shared;
    for (unsigned i = 0; i < shared->n_faults; i++) {
        const struct ms_fault *f = &shared->faults[i];
        put(out,
            "%s{\"call\":\"%s\",\"after\":%llu,\"seen\":%llu,\"once\":%s,\"when\":\"%s\","
            "\"kill\":%s,\"hang_ms\":%u,\"code\":%d,\"pid\":%u}",
            i > 0 ? "," : "", f->call, (unsigned long long)f->after,
            (unsigned long long)f->seen, f->once ? "true" : "false",
            f->when == MS_BEFORE ? "before" : "after", f->kill ? "true" : "false", f->hang_ms,
            f->code, f->pid);
    }
}

int migsim_show(const char *dir, char *text, unsigned size) {
    struct ms_file file;
    struct ms_world world;
    struct out out = {text, size, 0};
    nvmlReturn_t result = ms_open(dir, &file);
    if (result != NVML_SUCCESS)
        return -result;
    result = ms_begin_read(&file, &world);
    if (result == NVML_SUCCESS) {
        put(&out, "{\"driver_version\":\"%s\",\"boot\":%llu,\"now_ns\":%llu,\"gpus\":[",
            world.fixed->driver, (unsigned long long)world.live->boot,
            (unsigned long long)world.now_ns);
        put_gpus(&out, &world);
        put(&out, "],\"processes\":[");
        put_processes(&out, &world);
        put(&out, "],\"faults\":[");
        put_faults(&out, &world);
        put(&out, "]}");
        ms_end_read(&world);
    }
    ms_close(&file);
    return result == NVML_SUCCESS ? (int)out.used : -result;
}
