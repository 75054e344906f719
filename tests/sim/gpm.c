/* GPM, the profiling counters of Hopper and later: samples of one GPU instance, and what lies
 * between two of them. A sample knows no incarnation: after a change of geometry a client that
 * keeps the older sample gets nonsense, as on hardware. */
#include <math.h>
#include <stdlib.h>

#include "call.h"
#include "handles.h"
#include "usage.h"

#define SAMPLE_MAGIC 0x47504d53ull /* "GPMS" */

struct ms_gpm_sample {
    uint64_t magic, taken_ns; /* taken_ns 0: allocated and never filled */
    struct ms_busy busy;
    bool of_mig;
};

/* The counters are refreshed that often: closer samples have nothing between them. */
static const uint64_t refresh_ns = 100000000;

enum { METRICS_VERSION = 1, SUPPORT_VERSION = 1 };

static nvmlReturn_t do_nvmlGpmSampleAlloc(nvmlGpmSample_t *sample) {
    if (sample == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    *sample = calloc(1, sizeof **sample);
    if (*sample == NULL)
        return NVML_ERROR_MEMORY;
    (*sample)->magic = SAMPLE_MAGIC;
    return NVML_SUCCESS;
}
READ_CALL(nvmlGpmSampleAlloc, (nvmlGpmSample_t *sample), (sample))

static nvmlReturn_t do_nvmlGpmSampleFree(nvmlGpmSample_t sample) {
    if (sample == NULL || sample->magic != SAMPLE_MAGIC)
        return NVML_ERROR_INVALID_ARGUMENT;
    sample->magic = 0;
    free(sample);
    return NVML_SUCCESS;
}
READ_CALL(nvmlGpmSampleFree, (nvmlGpmSample_t sample), (sample))

static nvmlReturn_t take(const struct ms_world *w, const struct ms_target *t, unsigned gi,
                         nvmlGpmSample_t sample) {
    if (!t->model->gpm)
        return NVML_ERROR_NOT_SUPPORTED;
    if (sample == NULL || sample->magic != SAMPLE_MAGIC)
        return NVML_ERROR_INVALID_ARGUMENT;
    sample->taken_ns = w->now_ns;
    sample->busy = ms_busy_of(w, t->gpu, gi);
    sample->of_mig = gi != NO_INSTANCE;
    return NVML_SUCCESS;
}

/* Of a whole GPU or a MIG device (its GPU instance: there is nothing finer). That a whole GPU
 * in MIG mode answers NOT_SUPPORTED is assumed. */
static nvmlReturn_t do_nvmlGpmSampleGet(struct ms_world *w, nvmlDevice_t device,
                                        nvmlGpmSample_t sample) {
    struct ms_target t;
    nvmlReturn_t result = ms_device(w, device, &t);
    if (result != NVML_SUCCESS)
        return result;
    if (t.gi == NULL && t.state->mode)
        return NVML_ERROR_NOT_SUPPORTED;
    return take(w, &t, t.gi_id, sample);
}
READ_CALL(nvmlGpmSampleGet, (nvmlDevice_t device, nvmlGpmSample_t sample), (c.w, device, sample))

static nvmlReturn_t do_nvmlGpmMigSampleGet(struct ms_world *w, nvmlDevice_t device, unsigned gi,
                                           nvmlGpmSample_t sample) {
    struct ms_target t;
    nvmlReturn_t result = ms_whole_gpu(w, device, &t, NVML_ERROR_INVALID_ARGUMENT);
    if (result != NVML_SUCCESS)
        return result;
    if (!t.model->gpm)
        return NVML_ERROR_NOT_SUPPORTED;
    if (gi >= MS_MAX_GIS || !t.state->gi[gi].used)
        return NVML_ERROR_INVALID_ARGUMENT;
    return take(w, &t, gi, sample);
}
READ_CALL(nvmlGpmMigSampleGet, (nvmlDevice_t device, unsigned gi, nvmlGpmSample_t sample),
          (c.w, device, gi, sample))

static nvmlReturn_t do_nvmlGpmQueryDeviceSupport(struct ms_world *w, nvmlDevice_t device,
                                                 nvmlGpmSupport_t *support) {
    struct ms_target t;
    nvmlReturn_t result = ms_device(w, device, &t);
    if (result != NVML_SUCCESS)
        return result;
    if (support == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    if (support->version != SUPPORT_VERSION)
        return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    support->isSupportedDevice = t.model->gpm;
    return NVML_SUCCESS;
}
READ_CALL(nvmlGpmQueryDeviceSupport, (nvmlDevice_t device, nvmlGpmSupport_t *support),
          (c.w, device, support))

/* What our stand-in processes do with the SMs they use: made up, and the same for all. */
enum of { ANY, SM, NO_MIG };
static const struct {
    unsigned id;
    enum of of;
    double factor;
    const char *name, *unit;
} metrics[] = {
    {1, ANY, 100, "graphics_util", "%"},     {2, SM, 100, "sm_util", "%"},
    {3, SM, 50, "sm_occupancy", "%"},        {4, SM, 20, "integer_util", "%"},
    {5, SM, 40, "any_tensor_util", "%"},     {6, SM, 0, "dfma_tensor_util", "%"},
    {7, SM, 40, "hmma_tensor_util", "%"},    {9, SM, 0, "imma_tensor_util", "%"},
    {10, ANY, 60, "dram_bw_util", "%"},      {11, SM, 10, "fp64_util", "%"},
    {12, SM, 30, "fp32_util", "%"},          {13, SM, 20, "fp16_util", "%"},
    {20, ANY, 200, "pcie_tx_per_sec", "MiB/s"}, {21, ANY, 400, "pcie_rx_per_sec", "MiB/s"},
    {30, ANY, 0, "nvdec_0_util", "%"},       {60, NO_MIG, 0, "nvlink_total_rx_per_sec", "MiB/s"},
    {61, NO_MIG, 0, "nvlink_total_tx_per_sec", "MiB/s"},
};

static void measure(nvmlGpmMetric_t *metric, const struct ms_gpm_sample *from,
                    const struct ms_gpm_sample *to) {
    metric->nvmlReturn = NVML_ERROR_NOT_SUPPORTED;
    metric->value = NAN;
    for (unsigned i = 0; i < sizeof metrics / sizeof *metrics; i++) {
        if (metrics[i].id != metric->metricId)
            continue;
        if (metrics[i].of == NO_MIG && to->of_mig)
            return; /* NVLink cannot be told apart by instance */
        metric->nvmlReturn = NVML_SUCCESS;
        metric->metricInfo.shortName = metric->metricInfo.longName = metrics[i].name;
        metric->metricInfo.unit = metrics[i].unit;
        if (to->taken_ns < from->taken_ns + refresh_ns)
            return; /* SUCCESS and not a number: clients must look */
        double busy = metrics[i].of == SM ? to->busy.sm_ns - from->busy.sm_ns
                                          : to->busy.any_ns - from->busy.any_ns;
        double share = busy / (double)(to->taken_ns - from->taken_ns);
        metric->value = metrics[i].factor * (share < 1 ? share : 1);
        return;
    }
}

static nvmlReturn_t do_nvmlGpmMetricsGet(nvmlGpmMetricsGet_t *get) {
    if (get == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    if (get->version != METRICS_VERSION)
        return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    const struct ms_gpm_sample *from = get->sample1, *to = get->sample2;
    if (from == NULL || to == NULL || from->magic != SAMPLE_MAGIC || to->magic != SAMPLE_MAGIC ||
        from->taken_ns == 0 || to->taken_ns == 0)
        return NVML_ERROR_INVALID_ARGUMENT;
    for (unsigned i = 0; i < get->numMetrics; i++)
        measure(&get->metrics[i], from, to);
    return NVML_SUCCESS;
}
READ_CALL(nvmlGpmMetricsGet, (nvmlGpmMetricsGet_t * get), (get))
