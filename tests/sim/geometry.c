/* The rules of MIG. Everything here is a function of the state and the model's tables. */
#include "geometry.h"

#include <string.h>

#include "events.h"
#include "process.h"

const struct ms_gi_profile *ms_gi_by_id(const struct ms_model *model, unsigned id) {
    for (unsigned i = 0; i < model->n_gi; i++)
        if (model->gi[i].id == id)
            return &model->gi[i];
    return NULL;
}

const struct ms_gi_profile *ms_gi_by_number(const struct ms_model *model, unsigned number) {
    for (unsigned i = 0; i < model->n_gi; i++)
        if (model->gi[i].number == number)
            return &model->gi[i];
    return NULL;
}

const struct ms_ci_profile *ms_ci_by_id(const struct ms_gi_profile *gi, unsigned id) {
    for (unsigned i = 0; i < gi->n_ci; i++)
        if (gi->ci[i].id == id)
            return &gi->ci[i];
    return NULL;
}

const struct ms_ci_profile *ms_ci_by_number(const struct ms_gi_profile *gi, unsigned number) {
    for (unsigned i = 0; i < gi->n_ci; i++)
        if (gi->ci[i].number == number)
            return &gi->ci[i];
    return NULL;
}

unsigned ms_max_mig_devices(const struct ms_model *model) {
    unsigned most = 0;
    for (unsigned i = 0; i < model->n_gi; i++)
        if (model->gi[i].slices > most)
            most = model->gi[i].slices;
    return most;
}

unsigned ms_count_gis(const struct ms_gpu *gpu) {
    unsigned count = 0;
    for (unsigned id = 0; id < MS_MAX_GIS; id++)
        count += gpu->gi[id].used;
    return count;
}

static bool among(unsigned value, const uint32_t *list, unsigned length) {
    for (unsigned i = 0; i < length; i++)
        if (list[i] == value)
            return true;
    return false;
}

static bool overlap(unsigned a, unsigned a_size, unsigned b, unsigned b_size) {
    return a < b + b_size && b < a + a_size;
}

/* Media engines: one GPU instance can have the extensions (+me); one that takes them all
 * (+me.all) leaves room only for instances made without any (-me). */
enum media { PLAIN, NO_ME, ME, ALL_ME };

static enum media media_of(const struct ms_gi_profile *profile) {
    if (strstr(profile->name, "+me.all") != NULL)
        return ALL_ME;
    if (strstr(profile->name, "+me") != NULL)
        return ME;
    return strstr(profile->name, "-me") != NULL ? NO_ME : PLAIN;
}

static bool media_clash(enum media a, enum media b) {
    if (a == ALL_ME || b == ALL_ME)
        return a != NO_ME && b != NO_ME;
    return a == ME && b == ME;
}

bool ms_gi_fits(const struct ms_world *w, unsigned gpu, const struct ms_gi_profile *profile,
                unsigned start) {
    const struct ms_model *model = ms_model_of(w, gpu);
    unsigned slices = profile->slices, sm = profile->sm, same = 1;
    for (unsigned id = 0; id < MS_MAX_GIS; id++) {
        const struct ms_gi *gi = &w->live->gpus[gpu].gi[id];
        if (!gi->used)
            continue;
        const struct ms_gi_profile *other = &model->gi[gi->profile];
        if (overlap(start, profile->size, gi->start, other->size) ||
            media_clash(media_of(profile), media_of(other)))
            return false;
        slices += other->slices;
        sm += other->sm;
        same += other == profile;
    }
    return among(start, profile->starts, profile->n_starts) && same <= profile->max &&
           slices <= ms_max_mig_devices(model) && sm <= model->mig_sm;
}

/* Starts of one profile never overlap each other partly, so counting left to right is exact. */
unsigned ms_gi_capacity(const struct ms_world *w, unsigned gpu,
                        const struct ms_gi_profile *profile) {
    const struct ms_gpu *state = &w->live->gpus[gpu];
    unsigned free = 0, next = 0, same = 0;
    for (unsigned id = 0; id < MS_MAX_GIS; id++)
        same += state->gi[id].used && &ms_model_of(w, gpu)->gi[state->gi[id].profile] == profile;
    for (unsigned i = 0; i < profile->n_starts; i++) {
        unsigned start = profile->starts[i];
        if (start < next || !ms_gi_fits(w, gpu, profile, start))
            continue;
        free++;
        next = start + profile->size;
    }
    return free < profile->max - same ? free : profile->max - same;
}

/* How many placements that are possible now would no longer be, were this one taken. */
static unsigned harm(const struct ms_world *w, unsigned gpu, unsigned start, unsigned size) {
    const struct ms_model *model = ms_model_of(w, gpu);
    unsigned count = 0;
    for (unsigned p = 0; p < model->n_gi; p++)
        for (unsigned i = 0; i < model->gi[p].n_starts; i++)
            count += overlap(start, size, model->gi[p].starts[i], model->gi[p].size) &&
                     ms_gi_fits(w, gpu, &model->gi[p], model->gi[p].starts[i]);
    return count;
}

/* Where the driver puts an instance when not told. Assumed: where it harms least, then the
 * lowest. This gives the orders that we remember from NVIDIA's user guide (A100: seven 1g
 * become GI 13, 11, 12, 7, 8, 9, 10; three 2g become 5, 3, 4), which were not checked again,
 * and the known failure of -cgi 19,19,14,9. */
static unsigned best_start(const struct ms_world *w, unsigned gpu,
                           const struct ms_gi_profile *profile) {
    unsigned best = ANYWHERE, least = ANYWHERE;
    for (unsigned i = 0; i < profile->n_starts; i++) {
        unsigned start = profile->starts[i];
        if (!ms_gi_fits(w, gpu, profile, start))
            continue;
        unsigned cost = harm(w, gpu, start, profile->size);
        if (cost < least) {
            best = start;
            least = cost;
        }
    }
    return best;
}

/* A GI's id is its "swizz id": by the fraction of the GPU's memory that it has, then by place
 * (kernel modules, kmigmgr_ga100.c). Boards with 4 or 12 units: the same fractions, assumed. */
static unsigned gi_id_for(const struct ms_world *w, unsigned gpu,
                          const struct ms_gi_profile *profile, unsigned start) {
    unsigned parts = ms_model_of(w, gpu)->units / profile->size, place = start / profile->size;
    if (parts <= 1)
        return 0;
    if (parts < 4)
        return w->fixed->halves_swapped ? 2 - place : 1 + place;
    return parts < 8 ? 3 + place : 7 + place;
}

nvmlReturn_t ms_create_gi(struct ms_world *w, unsigned gpu, const struct ms_gi_profile *profile,
                          unsigned start, unsigned *gi_id) {
    struct ms_gpu *state = &w->live->gpus[gpu];
    if (start != ANYWHERE && !among(start, profile->starts, profile->n_starts))
        return NVML_ERROR_INVALID_ARGUMENT;
    /* The driver makes the first instance only when nothing at all lives on the GPU. */
    if (ms_count_gis(state) == 0 && ms_holders(w, gpu, NO_INSTANCE, NO_INSTANCE) > 0)
        return NVML_ERROR_IN_USE;
    if (start == ANYWHERE)
        start = best_start(w, gpu, profile);
    if (start == ANYWHERE || !ms_gi_fits(w, gpu, profile, start))
        return NVML_ERROR_INSUFFICIENT_RESOURCES;
    *gi_id = gi_id_for(w, gpu, profile, start);
    struct ms_gi *gi = &state->gi[*gi_id];
    memset(gi, 0, sizeof *gi);
    gi->used = 1;
    gi->profile = (uint32_t)(profile - ms_model_of(w, gpu)->gi);
    gi->start = start;
    gi->incarnation = ++state->incarnations;
    w->live->geometry++;
    ms_add_event(w, EVENT_MIG_CONFIG, 0, gpu, *gi_id, NO_INSTANCE);
    return NVML_SUCCESS;
}

nvmlReturn_t ms_destroy_gi(struct ms_world *w, unsigned gpu, unsigned gi_id) {
    struct ms_gi *gi = &w->live->gpus[gpu].gi[gi_id];
    for (unsigned ci = 0; ci < MS_MAX_CIS; ci++)
        if (gi->ci[ci].used)
            return NVML_ERROR_IN_USE;
    if (ms_holders(w, gpu, gi_id, NO_INSTANCE) > 0)
        return NVML_ERROR_IN_USE;
    gi->used = 0;
    w->live->geometry++;
    ms_add_event(w, EVENT_MIG_CONFIG, 0, gpu, gi_id, NO_INSTANCE);
    return NVML_SUCCESS;
}

bool ms_ci_fits(const struct ms_world *w, unsigned gpu, unsigned gi_id,
                const struct ms_ci_profile *profile, unsigned start) {
    const struct ms_gi *gi = &w->live->gpus[gpu].gi[gi_id];
    const struct ms_gi_profile *gi_profile = &ms_model_of(w, gpu)->gi[gi->profile];
    unsigned slices = profile->slices, sm = profile->sm;
    for (unsigned ci = 0; ci < MS_MAX_CIS; ci++) {
        if (!gi->ci[ci].used)
            continue;
        const struct ms_ci_profile *other = &gi_profile->ci[gi->ci[ci].profile];
        if (overlap(start, profile->size, gi->ci[ci].start, other->size))
            return false;
        slices += other->slices;
        sm += other->sm;
    }
    return among(start, profile->starts, profile->n_starts) && slices <= gi_profile->slices &&
           sm <= gi_profile->sm;
}

unsigned ms_ci_capacity(const struct ms_world *w, unsigned gpu, unsigned gi,
                        const struct ms_ci_profile *profile) {
    unsigned free = 0, next = 0;
    for (unsigned i = 0; i < profile->n_starts; i++) {
        if (profile->starts[i] < next || !ms_ci_fits(w, gpu, gi, profile, profile->starts[i]))
            continue;
        free++;
        next = profile->starts[i] + profile->size;
    }
    return free;
}

static unsigned free_ci_id(const struct ms_gi *gi) {
    unsigned id = 0;
    while (id < MS_MAX_CIS && gi->ci[id].used)
        id++;
    return id;
}

nvmlReturn_t ms_create_ci(struct ms_world *w, unsigned gpu, unsigned gi_id,
                          const struct ms_ci_profile *profile, unsigned start, unsigned *ci_id) {
    struct ms_gpu *state = &w->live->gpus[gpu];
    struct ms_gi *gi = &state->gi[gi_id];
    if (start != ANYWHERE && !among(start, profile->starts, profile->n_starts))
        return NVML_ERROR_INVALID_ARGUMENT;
    for (unsigned i = 0; start == ANYWHERE && i < profile->n_starts; i++)
        if (ms_ci_fits(w, gpu, gi_id, profile, profile->starts[i]))
            start = profile->starts[i];
    *ci_id = free_ci_id(gi);
    if (start == ANYWHERE || *ci_id == MS_MAX_CIS ||
        !ms_ci_fits(w, gpu, gi_id, profile, start))
        return NVML_ERROR_INSUFFICIENT_RESOURCES;
    struct ms_ci *ci = &gi->ci[*ci_id];
    ci->used = 1;
    ci->profile = (uint32_t)(profile - ms_model_of(w, gpu)->gi[gi->profile].ci);
    ci->start = start;
    ci->incarnation = ++state->incarnations;
    w->live->geometry++;
    ms_add_event(w, EVENT_MIG_CONFIG, 0, gpu, gi_id, *ci_id);
    return NVML_SUCCESS;
}

nvmlReturn_t ms_destroy_ci(struct ms_world *w, unsigned gpu, unsigned gi, unsigned ci) {
    if (ms_holders(w, gpu, gi, ci) > 0)
        return NVML_ERROR_IN_USE;
    w->live->gpus[gpu].gi[gi].ci[ci].used = 0;
    w->live->geometry++;
    ms_add_event(w, EVENT_MIG_CONFIG, 0, gpu, gi, ci);
    return NVML_SUCCESS;
}

void ms_clear_geometry(struct ms_world *w, unsigned gpu) {
    memset(w->live->gpus[gpu].gi, 0, sizeof w->live->gpus[gpu].gi);
    w->live->geometry++;
}

nvmlReturn_t ms_tell_placements(const uint32_t *starts, unsigned n, unsigned size,
                                nvmlPlacement_t *placements, unsigned *count) {
    if (count == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    unsigned room = *count;
    *count = n;
    if (placements == NULL)
        return NVML_SUCCESS;
    if (room < n)
        return NVML_ERROR_INSUFFICIENT_SIZE;
    for (unsigned i = 0; i < n; i++)
        placements[i] = (nvmlPlacement_t){starts[i], size};
    return NVML_SUCCESS;
}
