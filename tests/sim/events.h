/* Xid errors, ECC errors and changes of geometry, as events with an order. */
#ifndef MIGSIM_EVENTS_H
#define MIGSIM_EVENTS_H

#include "state.h"

/* gi and ci are NO_INSTANCE where the event cannot be attributed. */
void ms_add_event(struct ms_world *w, uint64_t type, uint64_t data, unsigned gpu, unsigned gi,
                  unsigned ci);

#endif
