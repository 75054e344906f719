/* What things are called: UUIDs and names of MIG devices. */
#ifndef MIGSIM_IDENTITY_H
#define MIGSIM_IDENTITY_H

#include "handles.h"

enum { UUID_SIZE = 48 };

/* "MIG-..." as a function of GPU, GI id and GR engine, and so the same for another shape. */
void ms_mig_uuid(const struct ms_target *t, char uuid[UUID_SIZE]);
/* "NVIDIA H100 80GB HBM3 MIG 1c.3g.40gb" */
void ms_device_name(const struct ms_target *t, char name[NAME_V2_SIZE]);
/* Copies with the terminator; INSUFFICIENT_SIZE if `size` is too small. */
nvmlReturn_t ms_copy_text(const char *text, char *buffer, unsigned size);
/* The MIG index of a compute instance, and back. NO_INSTANCE: none. */
unsigned ms_mig_index(const struct ms_world *w, const struct ms_target *t);

#endif
