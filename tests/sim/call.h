/* What happens around every NVML call: the session, the lock, faults, the trace.
 *
 * READ_CALL(nvmlFoo, (unsigned *n), (c.w, n)) exports nvmlFoo, which runs do_nvmlFoo on the
 * state under the lock. WRITE_CALL does it on a copy, kept only if it answers SUCCESS.
 * The _AS forms export a second name (an older or newer version) for the same function.
 */
#ifndef MIGSIM_CALL_H
#define MIGSIM_CALL_H

#include "state.h"

struct ms_call {
    const char *name;
    bool writes;
    struct ms_world world, *w;
};

nvmlReturn_t ms_call_begin(struct ms_call *call, const char *name, bool writes);
nvmlReturn_t ms_call_end(struct ms_call *call, nvmlReturn_t result);

/* A call that needs no state: it must still be counted, traced and made to fail. */
nvmlReturn_t ms_call_bare(const char *name);
nvmlReturn_t ms_call_bare_end(const char *name, nvmlReturn_t result);
/* What a generated stub answers. */
EXPORT nvmlReturn_t migsim_stub(const char *name);

/* The state that nvmlInit found, or NULL. */
struct ms_file *ms_session(void);

/* True for root; every privileged call asks. */
bool ms_privileged(void);

#define CALL_AS(name, impl, writes, params, args)                                              \
    EXPORT nvmlReturn_t name params;                                                           \
    EXPORT nvmlReturn_t name params {                                                          \
        struct ms_call c;                                                                      \
        nvmlReturn_t result = ms_call_begin(&c, #name, writes);                                \
        return result == NVML_SUCCESS ? ms_call_end(&c, impl args) : result;                   \
    }
#define READ_CALL_AS(name, impl, params, args) CALL_AS(name, do_##impl, false, params, args)
#define WRITE_CALL_AS(name, impl, params, args) CALL_AS(name, do_##impl, true, params, args)
#define READ_CALL(name, params, args) READ_CALL_AS(name, name, params, args)
#define WRITE_CALL(name, params, args) WRITE_CALL_AS(name, name, params, args)

#endif
