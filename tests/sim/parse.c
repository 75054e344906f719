/* The description that `new` compiles from the model files, one thing a line:
 *
 *   system DRIVER NVML CUDA HALVES_SWAPPED GAP
 *   model FAMILY MIG MEMORY_MIB UNITS SM MIG_SM PCI SUBSYSTEM GPM RESET SURVIVES IDLE LIMIT NAME
 *   gi NUMBER ID SLICES SM MEMORY_MIB MAX SIZE COPY_ENGINES NAME START...
 *   ci NUMBER ID SLICES SM MAX SIZE NAME START...
 *   gpu MODEL MINOR DOMAIN BUS DEVICE UUID SERIAL CPU_WORD...
 *
 * A gi belongs to the model above it, a ci to the gi above it. CPU words are hexadecimal, the
 * lowest first. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin.h"

static bool parse_system(char *rest, struct ms_fixed *f) {
    return sscanf(rest, "%31s %31s %u %u %u", f->driver, f->nvml, &f->cuda, &f->halves_swapped,
                  &f->gap) == 5 &&
           sscanf(f->driver, "%u", &f->driver_major) == 1;
}

static bool parse_model(char *rest, struct ms_fixed *f) {
    if (f->n_models == MS_MAX_MODELS)
        return false;
    struct ms_model *m = &f->models[f->n_models++];
    int at = 0;
    if (sscanf(rest, "%u %u %u %u %u %u %u %u %u %u %u %u %u %n", &m->family, &m->mig,
               &m->memory_mib, &m->units, &m->sm, &m->mig_sm, &m->pci_device,
               &m->pci_subsystem, &m->gpm, &m->reset_for_mode, &m->mode_survives_reboot,
               &m->power_idle_w, &m->power_limit_w, &at) != 13 ||
        strlen(rest + at) >= sizeof m->name)
        return false;
    strcpy(m->name, rest + at);
    return true;
}

static unsigned parse_starts(char *rest, uint32_t *starts, unsigned room) {
    unsigned n = 0;
    for (char *next; n < room; n++, rest = next) {
        starts[n] = (uint32_t)strtoul(rest, &next, 10);
        if (next == rest)
            break;
    }
    return n;
}

static bool parse_gi(char *rest, struct ms_fixed *f) {
    struct ms_model *m = f->n_models > 0 ? &f->models[f->n_models - 1] : NULL;
    if (m == NULL || m->n_gi == MS_MAX_GI_PROFILES)
        return false;
    struct ms_gi_profile *p = &m->gi[m->n_gi++];
    int at = 0;
    if (sscanf(rest, "%u %u %u %u %u %u %u %u %31s %n", &p->number, &p->id, &p->slices, &p->sm,
               &p->memory_mib, &p->max, &p->size, &p->copy_engines, p->name, &at) != 9)
        return false;
    p->n_starts = parse_starts(rest + at, p->starts, MS_MAX_STARTS);
    return p->n_starts > 0 && p->size > 0 && p->max > 0;
}

static bool parse_ci(char *rest, struct ms_fixed *f) {
    struct ms_model *m = f->n_models > 0 ? &f->models[f->n_models - 1] : NULL;
    struct ms_gi_profile *gi = m != NULL && m->n_gi > 0 ? &m->gi[m->n_gi - 1] : NULL;
    if (gi == NULL || gi->n_ci == MS_MAX_CI_PROFILES)
        return false;
    struct ms_ci_profile *p = &gi->ci[gi->n_ci++];
    int at = 0;
    if (sscanf(rest, "%u %u %u %u %u %u %31s %n", &p->number, &p->id, &p->slices, &p->sm,
               &p->max, &p->size, p->name, &at) != 7)
        return false;
    p->n_starts = parse_starts(rest + at, p->starts, MS_MAX_CIS);
    return p->n_starts > 0 && p->max > 0;
}

static bool parse_gpu(char *rest, struct ms_fixed *f) {
    if (f->n_gpus == MS_MAX_GPUS)
        return false;
    struct ms_gpu_fixed *g = &f->gpus[f->n_gpus++];
    int at = 0;
    if (sscanf(rest, "%u %u %u %u %u %47s %23s %n", &g->model, &g->minor, &g->domain, &g->bus,
               &g->device, g->uuid, g->serial, &at) != 7 ||
        g->model >= f->n_models)
        return false;
    unsigned n = 0;
    rest += at;
    for (char *next; n < MS_CPU_WORDS; n++, rest = next) {
        g->cpus[n] = strtoull(rest, &next, 16);
        if (next == rest)
            break;
    }
    return n > 0;
}

static bool parse_line(char *line, struct ms_fixed *fixed) {
    static const struct {
        const char *word;
        bool (*parse)(char *, struct ms_fixed *);
    } kinds[] = {{"system", parse_system},
                 {"model", parse_model},
                 {"gi", parse_gi},
                 {"ci", parse_ci},
                 {"gpu", parse_gpu}};
    char *rest = strchr(line, ' ');
    if (rest == NULL)
        return false;
    *rest++ = '\0';
    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(line, kinds[i].word) == 0)
            return kinds[i].parse(rest, fixed);
    return false;
}

nvmlReturn_t ms_parse(const char *text, struct ms_fixed *fixed, char *why, unsigned size) {
    char *copy = strdup(text), *more = NULL;
    nvmlReturn_t result = copy == NULL ? NVML_ERROR_MEMORY : NVML_SUCCESS;
    memset(fixed, 0, sizeof *fixed);
    for (char *line = copy == NULL ? NULL : strtok_r(copy, "\n", &more);
         line != NULL && result == NVML_SUCCESS; line = strtok_r(NULL, "\n", &more)) {
        char shown[100];
        snprintf(shown, sizeof shown, "%s", line);
        if (!parse_line(line, fixed)) {
            snprintf(why, size, "cannot read: %s", shown);
            result = NVML_ERROR_INVALID_ARGUMENT;
        }
    }
    free(copy);
    return result;
}
