/* The simulated machine: one file that every process maps, under one lock.
 *
 * Three parts. `fixed` is written once, by `new`. `live` exists twice: a writer changes the
 * copy that is not in use and then switches, by one store; a process killed at any
 * instruction leaves either the old world or the new one. `shared` holds counters that are
 * changed in place, by atomics: faults, clock, trace.
 */
#ifndef MIGSIM_STATE_H
#define MIGSIM_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "nvml_types.h"

#define MS_MAGIC 0x4d49472d53494d31ull /* "MIG-SIM1" */

enum {
    MS_VERSION = 1,
    MS_MAX_GPUS = 16,
    MS_MAX_MODELS = 16,
    MS_MAX_GI_PROFILES = 20,
    MS_MAX_CI_PROFILES = 10,
    MS_MAX_STARTS = 16,
    MS_MAX_GIS = 15, /* GI ids 0..14: mig-minors has no more */
    MS_MAX_CIS = 8,
    MS_MAX_PROCESSES = 256,
    MS_MAX_STEPS = 8,
    MS_MAX_EVENTS = 64,
    MS_MAX_FAULTS = 32,
    MS_CPU_WORDS = 16,
};

enum ms_family { MS_AMPERE, MS_ADA, MS_HOPPER, MS_BLACKWELL };

struct ms_ci_profile {
    char name[32];
    uint32_t number, id, slices, sm, max, size, n_starts, starts[MS_MAX_CIS];
};

struct ms_gi_profile {
    char name[32];
    uint32_t number; /* NVML's enum; `id` is what nvidia-smi prints and create takes */
    uint32_t id, slices, sm, memory_mib, max, size, copy_engines;
    uint32_t n_starts, starts[MS_MAX_STARTS];
    uint32_t n_ci;
    struct ms_ci_profile ci[MS_MAX_CI_PROFILES];
};

struct ms_model {
    char name[64];
    uint32_t family, mig, memory_mib, units, sm, mig_sm, pci_device, pci_subsystem;
    uint32_t gpm, reset_for_mode, mode_survives_reboot, power_idle_w, power_limit_w;
    uint32_t n_gi;
    struct ms_gi_profile gi[MS_MAX_GI_PROFILES];
};

struct ms_gpu_fixed {
    uint32_t model, minor, domain, bus, device;
    char uuid[48]; /* "GPU-..." */
    char serial[24];
    uint64_t cpus[MS_CPU_WORDS];
};

struct ms_fixed {
    char driver[32], nvml[32];
    uint32_t cuda, driver_major;
    uint32_t halves_swapped; /* the other of the two GI numberings seen on hardware */
    uint32_t gap;            /* leave MIG index 1 empty, as long-lived drivers do */
    uint32_t n_models, n_gpus;
    struct ms_model models[MS_MAX_MODELS];
    struct ms_gpu_fixed gpus[MS_MAX_GPUS];
};

struct ms_ci {
    uint32_t used, profile, start, incarnation;
};

struct ms_gi {
    uint32_t used, profile, start, incarnation;
    uint64_t sram_uncorrected;
    double busy_any_ns, busy_sm_ns; /* of processes that ended; the living add their own */
    struct ms_ci ci[MS_MAX_CIS];
};

struct ms_gpu {
    uint32_t lost, mode, mode_pending, incarnations, persistence;
    uint64_t energy_since_ns, sbe, dbe;
    double busy_ns; /* SM-weighted, of processes that ended */
    struct ms_gi gi[MS_MAX_GIS]; /* by GI id */
};

enum ms_kind {
    MS_COMPUTE,
    MS_GRAPHICS,
    MS_CLIENT, /* holds the GPU without being listed: DCGM, nsys, a display */
};

/* From `at_ns` after its start on, a process uses this much. */
struct ms_step {
    uint64_t at_ns, memory;
    double activity; /* 0..1 of the SMs it can see */
};

struct ms_process {
    uint32_t pid, kind, gpu, gi, ci; /* gi, ci: NO_INSTANCE where MIG is off */
    uint64_t start_ticks, began_ns;  /* /proc/PID/stat field 22: a pid alone may be reused */
    uint32_t n_steps;
    struct ms_step steps[MS_MAX_STEPS];
};

struct ms_event {
    uint64_t sequence, type, data;
    uint32_t gpu, gi, ci;
};

struct ms_live {
    uint64_t geometry; /* counts changes that /proc/driver/nvidia/capabilities shows */
    uint64_t boot, n_events;
    uint32_t n_processes;
    struct ms_gpu gpus[MS_MAX_GPUS];
    struct ms_process processes[MS_MAX_PROCESSES];
    struct ms_event events[MS_MAX_EVENTS]; /* a ring */
};

enum ms_when { MS_BEFORE, MS_AFTER };

struct ms_fault {
    uint32_t used;
    char call[64]; /* a function's name, or "*" */
    uint32_t pid;  /* 0: any process */
    uint64_t after, seen;
    uint32_t once, when, kill, hang_ms;
    int32_t code; /* 0: none, go on */
};

struct ms_shared {
    uint64_t tree_geometry; /* the `geometry` that the /proc tree shows */
    uint32_t frozen;
    int64_t clock_ns; /* frozen: the time itself; else added to the machine's clock */
    char trace[256];
    uint32_t n_faults;
    struct ms_fault faults[MS_MAX_FAULTS];
};

struct ms_image {
    uint64_t magic;
    uint32_t version, size;
    uint32_t current; /* which of live[] is in use: the one store that commits */
    struct ms_shared shared;
    struct ms_fixed fixed;
    struct ms_live live[2];
};

struct ms_file {
    char dir[4000]; /* so that any path below it fits PATH_MAX */
    int dir_fd, lock_fd, pid;
    struct ms_image *image;
};

/* What one call sees. `live` is writable in a write call and is dropped if the call fails. */
struct ms_world {
    struct ms_file *file;
    const struct ms_fixed *fixed;
    struct ms_live *live;
    uint64_t now_ns;
};

/* NVML_ERROR_DRIVER_NOT_LOADED: no state there; LIB_RM_VERSION_MISMATCH: another layout. */
nvmlReturn_t ms_open(const char *dir, struct ms_file *file);
void ms_close(struct ms_file *file);
nvmlReturn_t ms_create(const char *dir, const struct ms_fixed *fixed);

/* Every begin needs its end. `commit` false drops what a writer did. */
nvmlReturn_t ms_begin_read(struct ms_file *file, struct ms_world *world);
nvmlReturn_t ms_begin_write(struct ms_file *file, struct ms_world *world);
void ms_end_read(struct ms_world *world);
void ms_end_write(struct ms_world *world, bool commit);

uint64_t ms_now(const struct ms_file *file);

static inline const struct ms_model *ms_model_of(const struct ms_world *w, unsigned gpu) {
    return &w->fixed->models[w->fixed->gpus[gpu].model];
}

#endif
