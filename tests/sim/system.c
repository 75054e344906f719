/* Versions of the driver, of NVML and of CUDA. */
#include "call.h"
#include "identity.h"

static nvmlReturn_t do_nvmlSystemGetDriverVersion(struct ms_world *w, char *text,
                                                  unsigned size) {
    return ms_copy_text(w->fixed->driver, text, size);
}
READ_CALL(nvmlSystemGetDriverVersion, (char *text, unsigned size), (c.w, text, size))

static nvmlReturn_t do_nvmlSystemGetNVMLVersion(struct ms_world *w, char *text, unsigned size) {
    return ms_copy_text(w->fixed->nvml, text, size);
}
READ_CALL(nvmlSystemGetNVMLVersion, (char *text, unsigned size), (c.w, text, size))

static nvmlReturn_t do_nvmlSystemGetCudaDriverVersion(struct ms_world *w, int *version) {
    if (version == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    *version = (int)w->fixed->cuda;
    return NVML_SUCCESS;
}
READ_CALL(nvmlSystemGetCudaDriverVersion, (int *version), (c.w, version))
READ_CALL_AS(nvmlSystemGetCudaDriverVersion_v2, nvmlSystemGetCudaDriverVersion, (int *version),
             (c.w, version))
