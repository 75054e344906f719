/* DIR/root/proc/driver/nvidia/capabilities: the part of /proc that follows the instances. */
#ifndef MIGSIM_TREE_H
#define MIGSIM_TREE_H

#include "state.h"

/* Brings the tree to what the state says, if it is behind. Needs the exclusive lock.
 * Silent on failure: the next caller tries again (a process that may not write there). */
void ms_tree_sync(struct ms_world *w);

#endif
