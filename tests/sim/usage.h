/* How busy a GPU or an instance was, as integrals over time: the truth that is measured. */
#ifndef MIGSIM_USAGE_H
#define MIGSIM_USAGE_H

#include "state.h"

struct ms_busy {
    double any_ns; /* some process was active */
    double sm_ns;  /* the same, by the share of multiprocessors it could use */
};

/* Since the GPU instance was made, or (gi NO_INSTANCE) since the GPU was reset. */
struct ms_busy ms_busy_of(const struct ms_world *w, unsigned gpu, unsigned gi);
/* 0..1 of the whole GPU's multiprocessors, now. */
double ms_gpu_activity(const struct ms_world *w, unsigned gpu);

#endif
