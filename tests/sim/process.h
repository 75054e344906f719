/* Processes on the GPUs: who is alive, what they hold and what they used. */
#ifndef MIGSIM_PROCESS_H
#define MIGSIM_PROCESS_H

#include "state.h"

/* /proc/PID/stat field 22; 0 if there is no such process. */
uint64_t ms_start_ticks(uint32_t pid);
bool ms_any_dead(const struct ms_world *w);
/* Takes out those that ended without saying so; their work is kept in the sums. */
void ms_drop_dead(struct ms_world *w);
void ms_drop_process(struct ms_world *w, unsigned at);

/* Bytes it holds now, and how long its SMs were busy since it began. */
uint64_t ms_process_memory(const struct ms_process *p, uint64_t now_ns);
double ms_process_busy_ns(const struct ms_process *p, uint64_t now_ns);
double ms_process_activity(const struct ms_process *p, uint64_t now_ns);
/* The share of its GPU's (of_gpu) or GPU instance's multiprocessors that it can see. */
double ms_process_share(const struct ms_world *w, const struct ms_process *p, bool of_gpu);

/* How many hold the GPU, or (gi != NO_INSTANCE) that instance. */
unsigned ms_holders(const struct ms_world *w, unsigned gpu, unsigned gi, unsigned ci);
uint64_t ms_memory_used(const struct ms_world *w, unsigned gpu, unsigned gi);

#endif
