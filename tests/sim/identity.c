/* Names, UUIDs, indices and addresses of devices. */
#include "identity.h"

#include <stdio.h>
#include <string.h>

#include "call.h"
#include "uuid5.h"

/* The driver hashes chip, board, GI id and GR engine ("syspipe"): not profile, time or boot.
 * So 3g.20gb and 1c.3g.20gb at one place bear one UUID. The engine is where the CI starts. */
void ms_mig_uuid(const struct ms_target *t, char uuid[UUID_SIZE]) {
    char name[80];
    snprintf(name, sizeof name, "%s/%u/%u", t->fixed->uuid, t->gi_id, t->ci->start);
    strcpy(uuid, "MIG-");
    ms_uuid5(name, uuid + 4);
}

void ms_device_name(const struct ms_target *t, char name[NAME_V2_SIZE]) {
    if (t->gi == NULL)
        snprintf(name, NAME_V2_SIZE, "%s", t->model->name);
    else
        snprintf(name, NAME_V2_SIZE, "%.*s MIG %s", NAME_V2_SIZE - 40, t->model->name,
                 t->ci_profile->name);
}

nvmlReturn_t ms_copy_text(const char *text, char *buffer, unsigned size) {
    if (buffer == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    if (strlen(text) >= size)
        return NVML_ERROR_INSUFFICIENT_SIZE;
    strcpy(buffer, text);
    return NVML_SUCCESS;
}

static nvmlReturn_t do_nvmlDeviceGetName(struct ms_world *w, nvmlDevice_t device, char *name,
                                         unsigned size) {
    struct ms_target t;
    nvmlReturn_t result = ms_device(w, device, &t);
    if (result != NVML_SUCCESS)
        return result;
    char text[NAME_V2_SIZE];
    ms_device_name(&t, text);
    return ms_copy_text(text, name, size);
}
READ_CALL(nvmlDeviceGetName, (nvmlDevice_t device, char *name, unsigned size),
          (c.w, device, name, size))

static nvmlReturn_t do_nvmlDeviceGetUUID(struct ms_world *w, nvmlDevice_t device, char *uuid,
                                         unsigned size) {
    struct ms_target t;
    nvmlReturn_t result = ms_device(w, device, &t);
    if (result != NVML_SUCCESS)
        return result;
    char text[UUID_SIZE];
    if (t.gi == NULL)
        return ms_copy_text(t.fixed->uuid, uuid, size);
    ms_mig_uuid(&t, text);
    return ms_copy_text(text, uuid, size);
}
READ_CALL(nvmlDeviceGetUUID, (nvmlDevice_t device, char *uuid, unsigned size),
          (c.w, device, uuid, size))

static nvmlReturn_t do_nvmlDeviceGetSerial(struct ms_world *w, nvmlDevice_t device, char *serial,
                                           unsigned size) {
    struct ms_target t;
    nvmlReturn_t result = ms_device(w, device, &t);
    return result == NVML_SUCCESS ? ms_copy_text(t.fixed->serial, serial, size) : result;
}
READ_CALL(nvmlDeviceGetSerial, (nvmlDevice_t device, char *serial, unsigned size),
          (c.w, device, serial, size))

/* A MIG device answers its MIG index. */
static nvmlReturn_t do_nvmlDeviceGetIndex(struct ms_world *w, nvmlDevice_t device,
                                          unsigned *index) {
    struct ms_target t;
    nvmlReturn_t result = ms_device(w, device, &t);
    if (result != NVML_SUCCESS)
        return result;
    if (index == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    *index = t.gi == NULL ? t.gpu : ms_mig_index(w, &t);
    return NVML_SUCCESS;
}
READ_CALL(nvmlDeviceGetIndex, (nvmlDevice_t device, unsigned *index), (c.w, device, index))

static nvmlReturn_t do_nvmlDeviceGetMinorNumber(struct ms_world *w, nvmlDevice_t device,
                                                unsigned *minor) {
    struct ms_target t;
    nvmlReturn_t result = ms_whole_gpu(w, device, &t, NVML_ERROR_NOT_SUPPORTED);
    if (result != NVML_SUCCESS)
        return result;
    if (minor == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    *minor = t.fixed->minor;
    return NVML_SUCCESS;
}
READ_CALL(nvmlDeviceGetMinorNumber, (nvmlDevice_t device, unsigned *minor),
          (c.w, device, minor))

static nvmlReturn_t do_nvmlDeviceGetPciInfo_v3(struct ms_world *w, nvmlDevice_t device,
                                               nvmlPciInfo_t *pci) {
    struct ms_target t;
    nvmlReturn_t result = ms_whole_with(w, device, pci, &t);
    if (result != NVML_SUCCESS)
        return result;
    const struct ms_gpu_fixed *f = t.fixed;
    *pci = (nvmlPciInfo_t){.domain = f->domain,
                           .bus = f->bus,
                           .device = f->device,
                           .pciDeviceId = t.model->pci_device,
                           .pciSubSystemId = t.model->pci_subsystem};
    snprintf(pci->busIdLegacy, sizeof pci->busIdLegacy, "%04X:%02X:%02X.0", f->domain & 0xFFFF,
             f->bus & 0xFF, f->device & 0xFF);
    snprintf(pci->busId, sizeof pci->busId, "%08X:%02X:%02X.0", f->domain, f->bus, f->device);
    return NVML_SUCCESS;
}
READ_CALL(nvmlDeviceGetPciInfo_v3, (nvmlDevice_t device, nvmlPciInfo_t *pci), (c.w, device, pci))

static nvmlReturn_t do_nvmlDeviceGetPciInfo_v2(struct ms_world *w, nvmlDevice_t device,
                                               nvmlPciInfo_v2_t *pci) {
    nvmlPciInfo_t full;
    nvmlReturn_t result = do_nvmlDeviceGetPciInfo_v3(w, device, pci == NULL ? NULL : &full);
    if (result != NVML_SUCCESS)
        return result;
    *pci = (nvmlPciInfo_v2_t){.domain = full.domain,
                              .bus = full.bus,
                              .device = full.device,
                              .pciDeviceId = full.pciDeviceId,
                              .pciSubSystemId = full.pciSubSystemId};
    memcpy(pci->busId, full.busIdLegacy, sizeof pci->busId);
    return NVML_SUCCESS;
}
READ_CALL(nvmlDeviceGetPciInfo_v2, (nvmlDevice_t device, nvmlPciInfo_v2_t *pci),
          (c.w, device, pci))
READ_CALL_AS(nvmlDeviceGetPciInfo, nvmlDeviceGetPciInfo_v2,
             (nvmlDevice_t device, nvmlPciInfo_v2_t *pci), (c.w, device, pci))

static nvmlReturn_t do_nvmlDeviceGetPciInfoExt(struct ms_world *w, nvmlDevice_t device,
                                               nvmlPciInfoExt_v1_t *pci) {
    nvmlPciInfo_t full;
    nvmlReturn_t result = do_nvmlDeviceGetPciInfo_v3(w, device, pci == NULL ? NULL : &full);
    if (result != NVML_SUCCESS)
        return result;
    if (pci->version != PCI_INFO_EXT_V1)
        return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    *pci = (nvmlPciInfoExt_v1_t){.version = PCI_INFO_EXT_V1,
                                 .domain = full.domain,
                                 .bus = full.bus,
                                 .device = full.device,
                                 .pciDeviceId = full.pciDeviceId,
                                 .pciSubSystemId = full.pciSubSystemId,
                                 .baseClass = 3, /* display controller, 3D */
                                 .subClass = 2};
    memcpy(pci->busId, full.busId, sizeof pci->busId);
    return NVML_SUCCESS;
}
READ_CALL(nvmlDeviceGetPciInfoExt, (nvmlDevice_t device, nvmlPciInfoExt_v1_t *pci),
          (c.w, device, pci))

/* A MIG device is near the CPUs that its GPU is near. */
static nvmlReturn_t do_nvmlDeviceGetCpuAffinity(struct ms_world *w, nvmlDevice_t device,
                                                unsigned words, unsigned long *set) {
    struct ms_target t;
    nvmlReturn_t result = ms_device(w, device, &t);
    if (result != NVML_SUCCESS)
        return result;
    if (set == NULL || words == 0)
        return NVML_ERROR_INVALID_ARGUMENT;
    for (unsigned i = 0; i < words; i++)
        set[i] = i < MS_CPU_WORDS ? t.fixed->cpus[i] : 0;
    return NVML_SUCCESS;
}
READ_CALL(nvmlDeviceGetCpuAffinity, (nvmlDevice_t device, unsigned words, unsigned long *set),
          (c.w, device, words, set))

static nvmlReturn_t do_nvmlDeviceGetCpuAffinityWithinScope(struct ms_world *w,
                                                           nvmlDevice_t device, unsigned words,
                                                           unsigned long *set, unsigned scope) {
    if (scope > 1) /* NVML_AFFINITY_SCOPE_NODE, _SOCKET */
        return NVML_ERROR_INVALID_ARGUMENT;
    return do_nvmlDeviceGetCpuAffinity(w, device, words, set);
}
READ_CALL(nvmlDeviceGetCpuAffinityWithinScope,
          (nvmlDevice_t device, unsigned words, unsigned long *set, unsigned scope),
          (c.w, device, words, set, scope))

static nvmlReturn_t do_nvmlDeviceGetArchitecture(struct ms_world *w, nvmlDevice_t device,
                                                 unsigned *architecture) {
    static const unsigned numbers[] = {
        [MS_AMPERE] = 7, [MS_ADA] = 8, [MS_HOPPER] = 9, [MS_BLACKWELL] = 10};
    struct ms_target t;
    nvmlReturn_t result = ms_device(w, device, &t);
    if (result == NVML_SUCCESS && architecture == NULL)
        result = NVML_ERROR_INVALID_ARGUMENT;
    if (result == NVML_SUCCESS)
        *architecture = numbers[t.model->family];
    return result;
}
READ_CALL(nvmlDeviceGetArchitecture, (nvmlDevice_t device, unsigned *architecture),
          (c.w, device, architecture))

static nvmlReturn_t do_nvmlDeviceGetCudaComputeCapability(struct ms_world *w,
                                                          nvmlDevice_t device, int *major,
                                                          int *minor) {
    static const int numbers[][2] = {
        [MS_AMPERE] = {8, 0}, [MS_ADA] = {8, 9}, [MS_HOPPER] = {9, 0}, [MS_BLACKWELL] = {10, 0}};
    struct ms_target t;
    nvmlReturn_t result = ms_device(w, device, &t);
    if (result != NVML_SUCCESS)
        return result;
    if (major == NULL || minor == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    *major = numbers[t.model->family][0];
    *minor = numbers[t.model->family][1];
    return NVML_SUCCESS;
}
READ_CALL(nvmlDeviceGetCudaComputeCapability, (nvmlDevice_t device, int *major, int *minor),
          (c.w, device, major, minor))
