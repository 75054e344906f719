/* Busy time, power, energy and memory errors. */
#include "usage.h"

#include "call.h"
#include "handles.h"
#include "process.h"

struct ms_busy ms_busy_of(const struct ms_world *w, unsigned gpu, unsigned gi) {
    const struct ms_gpu *state = &w->live->gpus[gpu];
    struct ms_busy busy = {state->busy_ns, state->busy_ns};
    if (gi != NO_INSTANCE)
        busy = (struct ms_busy){state->gi[gi].busy_any_ns, state->gi[gi].busy_sm_ns};
    for (unsigned i = 0; i < w->live->n_processes; i++) {
        const struct ms_process *p = &w->live->processes[i];
        if (p->gpu != gpu || (gi != NO_INSTANCE && p->gi != gi))
            continue;
        double ns = ms_process_busy_ns(p, w->now_ns);
        busy.any_ns += gi == NO_INSTANCE ? ns * ms_process_share(w, p, true) : ns;
        busy.sm_ns += ns * ms_process_share(w, p, gi == NO_INSTANCE);
    }
    return busy;
}

double ms_gpu_activity(const struct ms_world *w, unsigned gpu) {
    double activity = 0;
    for (unsigned i = 0; i < w->live->n_processes; i++) {
        const struct ms_process *p = &w->live->processes[i];
        if (p->gpu == gpu)
            activity += ms_process_activity(p, w->now_ns) * ms_process_share(w, p, true);
    }
    return activity < 1 ? activity : 1;
}

/* Power and energy exist for the whole GPU only, in every generation. */
static double active_w(const struct ms_model *model) {
    return (double)model->power_limit_w - model->power_idle_w;
}

static nvmlReturn_t do_nvmlDeviceGetPowerUsage(struct ms_world *w, nvmlDevice_t device,
                                               unsigned *milliwatts) {
    struct ms_target t;
    nvmlReturn_t result = ms_whole_with(w, device, milliwatts, &t);
    if (result == NVML_SUCCESS)
        *milliwatts = (unsigned)(1000 * (t.model->power_idle_w +
                                         active_w(t.model) * ms_gpu_activity(w, t.gpu)));
    return result;
}
READ_CALL(nvmlDeviceGetPowerUsage, (nvmlDevice_t device, unsigned *milliwatts),
          (c.w, device, milliwatts))

/* Millijoules: idle power for all the time, the rest of the limit for busy time. */
static unsigned long long energy_mj(const struct ms_world *w, const struct ms_target *t) {
    double all_s = (double)(w->now_ns - t->state->energy_since_ns) / 1e9;
    double busy_s = ms_busy_of(w, t->gpu, NO_INSTANCE).sm_ns / 1e9;
    return (unsigned long long)(1000 * (t->model->power_idle_w * all_s +
                                        active_w(t->model) * busy_s));
}

static nvmlReturn_t do_nvmlDeviceGetTotalEnergyConsumption(struct ms_world *w,
                                                           nvmlDevice_t device,
                                                           unsigned long long *millijoules) {
    struct ms_target t;
    nvmlReturn_t result = ms_whole_with(w, device, millijoules, &t);
    if (result == NVML_SUCCESS)
        *millijoules = energy_mj(w, &t);
    return result;
}
READ_CALL(nvmlDeviceGetTotalEnergyConsumption,
          (nvmlDevice_t device, unsigned long long *millijoules), (c.w, device, millijoules))

/* No generation tells utilisation of a GPU in MIG mode, nor of a MIG device, by these. */
static nvmlReturn_t do_nvmlDeviceGetUtilizationRates(struct ms_world *w, nvmlDevice_t device,
                                                     nvmlUtilization_t *rates) {
    struct ms_target t;
    nvmlReturn_t result = ms_whole_with(w, device, rates, &t);
    if (result != NVML_SUCCESS)
        return result;
    if (t.state->mode)
        return NVML_ERROR_NOT_SUPPORTED;
    unsigned gpu = (unsigned)(100 * ms_gpu_activity(w, t.gpu) + 0.5);
    *rates = (nvmlUtilization_t){gpu, gpu * 6 / 10};
    return NVML_SUCCESS;
}
READ_CALL(nvmlDeviceGetUtilizationRates, (nvmlDevice_t device, nvmlUtilization_t *rates),
          (c.w, device, rates))

static nvmlReturn_t coder(struct ms_world *w, nvmlDevice_t device, unsigned *percent,
                          unsigned *period_us) {
    struct ms_target t;
    nvmlReturn_t result = ms_whole_with(w, device, percent, &t);
    if (result != NVML_SUCCESS)
        return result;
    if (period_us == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    if (t.state->mode)
        return NVML_ERROR_NOT_SUPPORTED;
    *percent = 0;
    *period_us = 167000;
    return NVML_SUCCESS;
}
#define do_coder coder
READ_CALL_AS(nvmlDeviceGetEncoderUtilization, coder,
             (nvmlDevice_t device, unsigned *percent, unsigned *period_us),
             (c.w, device, percent, period_us))
READ_CALL_AS(nvmlDeviceGetDecoderUtilization, coder,
             (nvmlDevice_t device, unsigned *percent, unsigned *period_us),
             (c.w, device, percent, period_us))

enum { CORRECTED, UNCORRECTED };
enum { DRAM = 2, SRAM = 7 }; /* nvmlMemoryLocation_t */

/* Of a MIG device only uncorrected SRAM errors, since the driver was loaded, are told. */
static nvmlReturn_t do_nvmlDeviceGetMemoryErrorCounter(struct ms_world *w, nvmlDevice_t device,
                                                       unsigned type, unsigned counter,
                                                       unsigned location,
                                                       unsigned long long *count) {
    struct ms_target t;
    nvmlReturn_t result = ms_device(w, device, &t);
    if (result != NVML_SUCCESS)
        return result;
    if (count == NULL || type > UNCORRECTED || counter > 1 || location > SRAM)
        return NVML_ERROR_INVALID_ARGUMENT;
    if (t.gi != NULL && (type != UNCORRECTED || counter != 0 || location != SRAM))
        return NVML_ERROR_NOT_SUPPORTED;
    if (location != SRAM && location != DRAM)
        return NVML_ERROR_NOT_SUPPORTED;
    *count = t.gi != NULL ? t.gi->sram_uncorrected : 0;
    for (unsigned gi = 0; t.gi == NULL && location == SRAM && type == UNCORRECTED &&
                          gi < MS_MAX_GIS;
         gi++)
        *count += t.state->gi[gi].sram_uncorrected;
    return NVML_SUCCESS;
}
READ_CALL(nvmlDeviceGetMemoryErrorCounter,
          (nvmlDevice_t device, unsigned type, unsigned counter, unsigned location,
           unsigned long long *count),
          (c.w, device, type, counter, location, count))

static nvmlReturn_t do_nvmlDeviceGetTotalEccErrors(struct ms_world *w, nvmlDevice_t device,
                                                   unsigned type, unsigned counter,
                                                   unsigned long long *count) {
    struct ms_target t;
    nvmlReturn_t result = ms_whole_with(w, device, count, &t);
    if (result != NVML_SUCCESS)
        return result;
    if (type > UNCORRECTED || counter > 1)
        return NVML_ERROR_INVALID_ARGUMENT;
    *count = type == UNCORRECTED ? t.state->dbe : t.state->sbe;
    return NVML_SUCCESS;
}
READ_CALL(nvmlDeviceGetTotalEccErrors,
          (nvmlDevice_t device, unsigned type, unsigned counter, unsigned long long *count),
          (c.w, device, type, counter, count))

static nvmlReturn_t do_nvmlDeviceGetEccMode(struct ms_world *w, nvmlDevice_t device,
                                            unsigned *current, unsigned *pending) {
    struct ms_target t;
    nvmlReturn_t result = ms_whole_with(w, device, current, &t);
    if (result == NVML_SUCCESS && pending == NULL)
        result = NVML_ERROR_INVALID_ARGUMENT;
    if (result == NVML_SUCCESS)
        *current = *pending = 1;
    return result;
}
READ_CALL(nvmlDeviceGetEccMode, (nvmlDevice_t device, unsigned *current, unsigned *pending),
          (c.w, device, current, pending))

/* nvml.h: not while there are MIG instances. */
static nvmlReturn_t do_nvmlDeviceGetRemappedRows(struct ms_world *w, nvmlDevice_t device,
                                                 unsigned *corrected, unsigned *uncorrected,
                                                 unsigned *pending, unsigned *failed) {
    struct ms_target t;
    nvmlReturn_t result = ms_whole_with(w, device, corrected, &t);
    if (result != NVML_SUCCESS)
        return result;
    if (uncorrected == NULL || pending == NULL || failed == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    for (unsigned gi = 0; gi < MS_MAX_GIS; gi++)
        if (t.state->gi[gi].used)
            return NVML_ERROR_NOT_SUPPORTED;
    *corrected = *uncorrected = *pending = *failed = 0;
    return NVML_SUCCESS;
}
READ_CALL(nvmlDeviceGetRemappedRows,
          (nvmlDevice_t device, unsigned *corrected, unsigned *uncorrected, unsigned *pending,
           unsigned *failed),
          (c.w, device, corrected, uncorrected, pending, failed))

/* The few fields that exporters ask for; each has an answer of its own. */
enum { FI_ECC_SBE = 3, FI_ECC_DBE = 4, FI_ENERGY = 83, ULL = 3 };

static nvmlReturn_t do_nvmlDeviceGetFieldValues(struct ms_world *w, nvmlDevice_t device,
                                                int count, nvmlFieldValue_t *values) {
    struct ms_target t;
    nvmlReturn_t result = ms_device(w, device, &t);
    if (result != NVML_SUCCESS)
        return result;
    if (values == NULL || count <= 0)
        return NVML_ERROR_INVALID_ARGUMENT;
    for (nvmlFieldValue_t *v = values; v < values + count; v++) {
        v->timestamp = (long long)(w->now_ns / 1000);
        v->latencyUsec = 0;
        v->valueType = ULL;
        v->nvmlReturn = NVML_SUCCESS;
        if (t.gi == NULL && v->fieldId == FI_ENERGY)
            v->value.ull = energy_mj(w, &t);
        else if (t.gi == NULL && v->fieldId == FI_ECC_SBE)
            v->value.ull = t.state->sbe;
        else if (t.gi == NULL && v->fieldId == FI_ECC_DBE)
            v->value.ull = t.state->dbe;
        else
            v->nvmlReturn = NVML_ERROR_NOT_SUPPORTED;
    }
    return NVML_SUCCESS;
}
READ_CALL(nvmlDeviceGetFieldValues, (nvmlDevice_t device, int count, nvmlFieldValue_t *values),
          (c.w, device, count, values))
