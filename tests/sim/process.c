/* Processes on the GPUs. */
#include "process.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

uint64_t ms_start_ticks(uint32_t pid) {
    char path[40], text[1024];
    snprintf(path, sizeof path, "/proc/%u/stat", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = '\0';
    /* The name, in brackets, may hold anything: the fields are counted from its end. */
    char *at = strrchr(text, ')');
    char state = 0;
    unsigned long long ticks = 0;
    if (at == NULL || sscanf(at + 1,
                             " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d"
                             " %*d %*d %*d %llu",
                             &state, &ticks) != 2)
        return 0;
    return state == 'Z' || state == 'X' ? 0 : ticks; /* the driver closes at death, not wait */
}

static bool dead(const struct ms_process *p) { return ms_start_ticks(p->pid) != p->start_ticks; }

/* In a root folder without /proc nobody can be seen: then all count as alive. */
static bool blind(void) { return access("/proc/self/stat", R_OK) != 0; }

bool ms_any_dead(const struct ms_world *w) {
    if (w->live->n_processes == 0 || blind())
        return false;
    for (unsigned i = 0; i < w->live->n_processes; i++)
        if (dead(&w->live->processes[i]))
            return true;
    return false;
}

void ms_drop_process(struct ms_world *w, unsigned at) {
    struct ms_live *live = w->live;
    struct ms_process *p = &live->processes[at];
    struct ms_gpu *gpu = &live->gpus[p->gpu];
    double busy = ms_process_busy_ns(p, w->now_ns);
    gpu->busy_ns += busy * ms_process_share(w, p, true);
    if (p->gi != NO_INSTANCE) {
        gpu->gi[p->gi].busy_any_ns += busy;
        gpu->gi[p->gi].busy_sm_ns += busy * ms_process_share(w, p, false);
    }
    live->n_processes--;
    memmove(p, p + 1, (live->n_processes - at) * sizeof *p);
}

void ms_drop_dead(struct ms_world *w) {
    if (w->live->n_processes == 0 || blind())
        return;
    for (unsigned i = w->live->n_processes; i-- > 0;)
        if (dead(&w->live->processes[i]))
            ms_drop_process(w, i);
}

static const struct ms_step *step_at(const struct ms_process *p, uint64_t now_ns) {
    const struct ms_step *step = &p->steps[0];
    for (unsigned i = 1; i < p->n_steps; i++)
        if (p->began_ns + p->steps[i].at_ns <= now_ns)
            step = &p->steps[i];
    return step;
}

uint64_t ms_process_memory(const struct ms_process *p, uint64_t now_ns) {
    return p->n_steps == 0 ? 0 : step_at(p, now_ns)->memory;
}

double ms_process_activity(const struct ms_process *p, uint64_t now_ns) {
    return p->n_steps == 0 ? 0 : step_at(p, now_ns)->activity;
}

double ms_process_busy_ns(const struct ms_process *p, uint64_t now_ns) {
    double busy = 0;
    for (unsigned i = 0; i < p->n_steps; i++) {
        uint64_t from = p->began_ns + p->steps[i].at_ns;
        uint64_t to = i + 1 < p->n_steps ? p->began_ns + p->steps[i + 1].at_ns : now_ns;
        if (to > now_ns)
            to = now_ns;
        if (to > from)
            busy += (double)(to - from) * p->steps[i].activity;
    }
    return busy;
}

double ms_process_share(const struct ms_world *w, const struct ms_process *p, bool of_gpu) {
    if (p->gi == NO_INSTANCE || p->ci == NO_INSTANCE)
        return 1;
    const struct ms_model *model = ms_model_of(w, p->gpu);
    const struct ms_gi *gi = &w->live->gpus[p->gpu].gi[p->gi];
    const struct ms_gi_profile *gi_profile = &model->gi[gi->profile];
    double sm = gi_profile->ci[gi->ci[p->ci].profile].sm;
    return sm / (of_gpu ? model->sm : gi_profile->sm);
}

unsigned ms_holders(const struct ms_world *w, unsigned gpu, unsigned gi, unsigned ci) {
    unsigned count = 0;
    for (unsigned i = 0; i < w->live->n_processes; i++) {
        const struct ms_process *p = &w->live->processes[i];
        count += p->gpu == gpu && (gi == NO_INSTANCE || p->gi == gi) &&
                 (ci == NO_INSTANCE || p->ci == ci);
    }
    return count;
}

uint64_t ms_memory_used(const struct ms_world *w, unsigned gpu, unsigned gi) {
    uint64_t used = 0;
    for (unsigned i = 0; i < w->live->n_processes; i++) {
        const struct ms_process *p = &w->live->processes[i];
        if (p->gpu == gpu && (gi == NO_INSTANCE || p->gi == gi))
            used += ms_process_memory(p, w->now_ns);
    }
    return used;
}
