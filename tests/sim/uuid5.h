/* Name-based UUIDs (RFC 4122, version 5). */
#ifndef MIGSIM_UUID5_H
#define MIGSIM_UUID5_H

/* Writes the 36 characters and the terminator. At most 119 characters of name count. */
void ms_uuid5(const char *name, char text[37]);

#endif
