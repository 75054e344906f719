/* Plain, plausible answers about whole GPUs: clocks, temperature, fans, links. No MIG device
 * has any of these (captures show N/A); only the mode of computing is told of both. */
#include "call.h"
#include "handles.h"
#include "identity.h"
#include "usage.h"

/* A call that answers one number: `answer` may use t and w. */
#define NUMBER(name, type, answer)                                                             \
    static nvmlReturn_t do_##name(struct ms_world *w, nvmlDevice_t device, type *value) {      \
        struct ms_target t;                                                                    \
        nvmlReturn_t result = ms_whole_with(w, device, value, &t);                                \
        if (result == NVML_SUCCESS)                                                            \
            *value = (type)(answer);                                                           \
        return result;                                                                         \
    }                                                                                          \
    READ_CALL(name, (nvmlDevice_t device, type * value), (c.w, device, value))

static unsigned celsius(const struct ms_world *w, unsigned gpu) {
    return 32 + (unsigned)(40 * ms_gpu_activity(w, gpu));
}

static bool idle(const struct ms_world *w, unsigned gpu) { return ms_gpu_activity(w, gpu) <= 0; }

static unsigned pcie_generation(const struct ms_target *t) {
    return t->model->family >= MS_HOPPER ? 5 : 4;
}

NUMBER(nvmlDeviceGetPerformanceState, unsigned, 0)
NUMBER(nvmlDeviceGetPowerState, unsigned, 0)
NUMBER(nvmlDeviceGetDisplayActive, unsigned, 0)
NUMBER(nvmlDeviceGetDisplayMode, unsigned, 0)
NUMBER(nvmlDeviceGetPersistenceMode, unsigned, t.state->persistence)
NUMBER(nvmlDeviceGetBrand, unsigned, 14)
NUMBER(nvmlDeviceGetBoardId, unsigned, t.fixed->bus << 8)
NUMBER(nvmlDeviceGetMultiGpuBoard, unsigned, 0)
NUMBER(nvmlDeviceGetNumGpuCores, unsigned, t.model->sm * 128)
NUMBER(nvmlDeviceGetMemoryBusWidth, unsigned, 5120)
NUMBER(nvmlDeviceGetPowerManagementLimit, unsigned, t.model->power_limit_w * 1000)
NUMBER(nvmlDeviceGetPowerManagementDefaultLimit, unsigned, t.model->power_limit_w * 1000)
NUMBER(nvmlDeviceGetEnforcedPowerLimit, unsigned, t.model->power_limit_w * 1000)
NUMBER(nvmlDeviceGetCurrPcieLinkGeneration, unsigned, pcie_generation(&t))
NUMBER(nvmlDeviceGetMaxPcieLinkGeneration, unsigned, pcie_generation(&t))
NUMBER(nvmlDeviceGetCurrPcieLinkWidth, unsigned, 16)
NUMBER(nvmlDeviceGetMaxPcieLinkWidth, unsigned, 16)
NUMBER(nvmlDeviceGetCurrentClocksEventReasons, unsigned long long, idle(w, t.gpu))
NUMBER(nvmlDeviceGetCurrentClocksThrottleReasons, unsigned long long, idle(w, t.gpu))

static nvmlReturn_t do_nvmlDeviceGetComputeMode(struct ms_world *w, nvmlDevice_t device,
                                                unsigned *mode) {
    struct ms_target t;
    nvmlReturn_t result = ms_device(w, device, &t);
    if (result == NVML_SUCCESS && mode == NULL)
        result = NVML_ERROR_INVALID_ARGUMENT;
    if (result == NVML_SUCCESS)
        *mode = 0;
    return result;
}
READ_CALL(nvmlDeviceGetComputeMode, (nvmlDevice_t device, unsigned *mode), (c.w, device, mode))

static nvmlReturn_t do_nvmlDeviceSetPersistenceMode(struct ms_world *w, nvmlDevice_t device,
                                                    unsigned mode) {
    struct ms_target t;
    nvmlReturn_t result = ms_whole_gpu(w, device, &t, NVML_ERROR_NOT_SUPPORTED);
    if (result != NVML_SUCCESS)
        return result;
    if (mode > 1)
        return NVML_ERROR_INVALID_ARGUMENT;
    if (!ms_privileged())
        return NVML_ERROR_NO_PERMISSION;
    t.state->persistence = mode;
    return NVML_SUCCESS;
}
WRITE_CALL(nvmlDeviceSetPersistenceMode, (nvmlDevice_t device, unsigned mode),
           (c.w, device, mode))

static nvmlReturn_t do_nvmlDeviceGetTemperature(struct ms_world *w, nvmlDevice_t device,
                                                unsigned sensor, unsigned *value) {
    struct ms_target t;
    nvmlReturn_t result = ms_whole_with(w, device, value, &t);
    if (result == NVML_SUCCESS && sensor != 0)
        result = NVML_ERROR_INVALID_ARGUMENT;
    if (result == NVML_SUCCESS)
        *value = celsius(w, t.gpu);
    return result;
}
READ_CALL(nvmlDeviceGetTemperature, (nvmlDevice_t device, unsigned sensor, unsigned *value),
          (c.w, device, sensor, value))

static nvmlReturn_t do_nvmlDeviceGetTemperatureV(struct ms_world *w, nvmlDevice_t device,
                                                 nvmlTemperature_v1_t *temperature) {
    if (temperature == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    if (temperature->version != TEMPERATURE_V1)
        return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    unsigned value = 0;
    nvmlReturn_t result =
        do_nvmlDeviceGetTemperature(w, device, temperature->sensorType, &value);
    if (result == NVML_SUCCESS)
        temperature->temperature = (int)value;
    return result;
}
READ_CALL(nvmlDeviceGetTemperatureV, (nvmlDevice_t device, nvmlTemperature_v1_t *temperature),
          (c.w, device, temperature))

static nvmlReturn_t do_nvmlDeviceGetTemperatureThreshold(struct ms_world *w, nvmlDevice_t device,
                                                         unsigned kind, unsigned *value) {
    static const unsigned thresholds[] = {92, 89, 95, 87}; /* shutdown, slowdown, memory, GPU */
    struct ms_target t;
    nvmlReturn_t result = ms_whole_with(w, device, value, &t);
    if (result == NVML_SUCCESS && kind > 3)
        result = NVML_ERROR_NOT_SUPPORTED;
    if (result == NVML_SUCCESS)
        *value = thresholds[kind];
    return result;
}
READ_CALL(nvmlDeviceGetTemperatureThreshold,
          (nvmlDevice_t device, unsigned kind, unsigned *value), (c.w, device, kind, value))

enum { CLOCK_MEMORY = 2, CLOCK_KINDS = 4 };
static const unsigned highest_mhz[CLOCK_KINDS] = {1980, 1980, 2619, 1545};
static const unsigned idle_mhz[CLOCK_KINDS] = {345, 345, 2619, 765};

static nvmlReturn_t clock_of(struct ms_world *w, nvmlDevice_t device, unsigned kind,
                             unsigned *mhz, bool highest) {
    struct ms_target t;
    nvmlReturn_t result = ms_whole_with(w, device, mhz, &t);
    if (result == NVML_SUCCESS && kind >= CLOCK_KINDS)
        result = NVML_ERROR_INVALID_ARGUMENT;
    if (result == NVML_SUCCESS)
        *mhz = (highest || ms_gpu_activity(w, t.gpu) > 0 ? highest_mhz : idle_mhz)[kind];
    return result;
}
#define do_clock_of clock_of
READ_CALL_AS(nvmlDeviceGetClockInfo, clock_of,
             (nvmlDevice_t device, unsigned kind, unsigned *mhz),
             (c.w, device, kind, mhz, false))
READ_CALL_AS(nvmlDeviceGetMaxClockInfo, clock_of,
             (nvmlDevice_t device, unsigned kind, unsigned *mhz), (c.w, device, kind, mhz, true))
READ_CALL_AS(nvmlDeviceGetApplicationsClock, clock_of,
             (nvmlDevice_t device, unsigned kind, unsigned *mhz), (c.w, device, kind, mhz, true))

/* slurmstepd (--gpu-freq) sorts these lists: highest first, as the driver gives them. */
static nvmlReturn_t list_clocks(struct ms_world *w, nvmlDevice_t device, unsigned *count,
                                unsigned *mhz, const unsigned *clocks, unsigned n) {
    struct ms_target t;
    nvmlReturn_t result = ms_whole_with(w, device, count, &t);
    if (result != NVML_SUCCESS)
        return result;
    unsigned room = *count;
    *count = n;
    if (mhz == NULL || room < n)
        return NVML_ERROR_INSUFFICIENT_SIZE;
    for (unsigned i = 0; i < n; i++)
        mhz[i] = clocks[i];
    return NVML_SUCCESS;
}

static nvmlReturn_t do_nvmlDeviceGetSupportedMemoryClocks(struct ms_world *w,
                                                          nvmlDevice_t device, unsigned *count,
                                                          unsigned *mhz) {
    return list_clocks(w, device, count, mhz, &highest_mhz[CLOCK_MEMORY], 1);
}
READ_CALL(nvmlDeviceGetSupportedMemoryClocks,
          (nvmlDevice_t device, unsigned *count, unsigned *mhz), (c.w, device, count, mhz))

static nvmlReturn_t do_nvmlDeviceGetSupportedGraphicsClocks(struct ms_world *w,
                                                            nvmlDevice_t device,
                                                            unsigned memory_mhz, unsigned *count,
                                                            unsigned *mhz) {
    static const unsigned clocks[] = {1980, 1755, 1410, 1095, 705, 345};
    if (memory_mhz != highest_mhz[CLOCK_MEMORY])
        return NVML_ERROR_NOT_FOUND;
    return list_clocks(w, device, count, mhz, clocks, sizeof clocks / sizeof *clocks);
}
READ_CALL(nvmlDeviceGetSupportedGraphicsClocks,
          (nvmlDevice_t device, unsigned memory_mhz, unsigned *count, unsigned *mhz),
          (c.w, device, memory_mhz, count, mhz))

static nvmlReturn_t do_nvmlDeviceGetPcieThroughput(struct ms_world *w, nvmlDevice_t device,
                                                   unsigned counter, unsigned *kib_per_s) {
    struct ms_target t;
    nvmlReturn_t result = ms_whole_with(w, device, kib_per_s, &t);
    if (result == NVML_SUCCESS && t.state->mode)
        result = NVML_ERROR_NOT_SUPPORTED;
    if (result == NVML_SUCCESS && counter > 1)
        result = NVML_ERROR_INVALID_ARGUMENT;
    if (result == NVML_SUCCESS)
        *kib_per_s = (unsigned)(200 * 1024 * ms_gpu_activity(w, t.gpu));
    return result;
}
READ_CALL(nvmlDeviceGetPcieThroughput,
          (nvmlDevice_t device, unsigned counter, unsigned *kib_per_s),
          (c.w, device, counter, kib_per_s))

static nvmlReturn_t do_nvmlDeviceGetVbiosVersion(struct ms_world *w, nvmlDevice_t device,
                                                 char *text, unsigned size) {
    struct ms_target t;
    nvmlReturn_t result = ms_whole_with(w, device, text, &t);
    return result == NVML_SUCCESS ? ms_copy_text("96.00.5e.00.01", text, size) : result;
}
READ_CALL(nvmlDeviceGetVbiosVersion, (nvmlDevice_t device, char *text, unsigned size),
          (c.w, device, text, size))
