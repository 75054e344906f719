/* nvmlInit to nvmlShutdown, and the frame of every call between them. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "call.h"
#include "faults.h"

static pthread_mutex_t session_lock = PTHREAD_MUTEX_INITIALIZER;
static struct ms_file session;
static unsigned users;

struct ms_file *ms_session(void) {
    return __atomic_load_n(&users, __ATOMIC_ACQUIRE) > 0 ? &session : NULL;
}

bool ms_privileged(void) { return geteuid() == 0; }

/* MIGSIM_DIR is read at each first init, so one process may look at several machines. */
static nvmlReturn_t attach(const char *name) {
    pthread_mutex_lock(&session_lock);
    nvmlReturn_t result = NVML_SUCCESS;
    if (users == 0)
        result = ms_open(getenv("MIGSIM_DIR"), &session);
    if (result == NVML_SUCCESS) {
        result = ms_fault_point(&session, name, MS_BEFORE);
        if (result == NVML_SUCCESS) {
            __atomic_store_n(&users, users + 1, __ATOMIC_RELEASE);
            result = ms_call_bare_end(name, NVML_SUCCESS);
            if (result != NVML_SUCCESS) /* who is told that it failed will not shut down */
                __atomic_store_n(&users, users - 1, __ATOMIC_RELEASE);
        } else {
            ms_trace_code(&session, name, result);
        }
        if (users == 0)
            ms_close(&session);
    }
    pthread_mutex_unlock(&session_lock);
    return result;
}

EXPORT nvmlReturn_t nvmlInit(void);
EXPORT nvmlReturn_t nvmlInit(void) { return attach("nvmlInit"); }
EXPORT nvmlReturn_t nvmlInit_v2(void);
EXPORT nvmlReturn_t nvmlInit_v2(void) { return attach("nvmlInit_v2"); }
EXPORT nvmlReturn_t nvmlInitWithFlags(unsigned flags);
EXPORT nvmlReturn_t nvmlInitWithFlags(unsigned flags) {
    (void)flags; /* NO_GPUS, NO_ATTACH: an empty machine or a lost GPU is no error here */
    return attach("nvmlInitWithFlags");
}

EXPORT nvmlReturn_t nvmlShutdown(void);
EXPORT nvmlReturn_t nvmlShutdown(void) {
    nvmlReturn_t result = ms_call_bare("nvmlShutdown");
    if (result != NVML_SUCCESS)
        return result;
    result = ms_call_bare_end("nvmlShutdown", NVML_SUCCESS);
    pthread_mutex_lock(&session_lock);
    __atomic_store_n(&users, users - 1, __ATOMIC_RELEASE);
    if (users == 0)
        ms_close(&session);
    pthread_mutex_unlock(&session_lock);
    return result;
}

nvmlReturn_t ms_call_bare(const char *name) {
    struct ms_file *file = ms_session();
    if (file == NULL)
        return NVML_ERROR_UNINITIALIZED;
    nvmlReturn_t result = ms_fault_point(file, name, MS_BEFORE);
    if (result != NVML_SUCCESS)
        ms_trace_code(file, name, result);
    return result;
}

nvmlReturn_t ms_call_bare_end(const char *name, nvmlReturn_t result) {
    nvmlReturn_t forced = ms_fault_point(ms_session(), name, MS_AFTER);
    if (forced != NVML_SUCCESS)
        result = forced;
    ms_trace_code(ms_session(), name, result);
    return result;
}

nvmlReturn_t ms_call_begin(struct ms_call *call, const char *name, bool writes) {
    call->name = name;
    call->writes = writes;
    call->w = &call->world;
    nvmlReturn_t result = ms_call_bare(name);
    if (result != NVML_SUCCESS)
        return result;
    return (writes ? ms_begin_write : ms_begin_read)(ms_session(), call->w);
}

nvmlReturn_t ms_call_end(struct ms_call *call, nvmlReturn_t result) {
    if (call->writes)
        ms_end_write(call->w, result == NVML_SUCCESS);
    else
        ms_end_read(call->w);
    return ms_call_bare_end(call->name, result);
}

nvmlReturn_t migsim_stub(const char *name) {
    nvmlReturn_t result = ms_call_bare(name);
    return result == NVML_SUCCESS ? ms_call_bare_end(name, NVML_ERROR_NOT_SUPPORTED) : result;
}

static const struct {
    nvmlReturn_t code;
    const char *text;
} messages[] = {
    {NVML_SUCCESS, "Success"},
    {NVML_ERROR_UNINITIALIZED, "Uninitialized"},
    {NVML_ERROR_INVALID_ARGUMENT, "Invalid Argument"},
    {NVML_ERROR_NOT_SUPPORTED, "Not Supported"},
    {NVML_ERROR_NO_PERMISSION, "Insufficient Permissions"},
    {NVML_ERROR_NOT_FOUND, "Not Found"},
    {NVML_ERROR_INSUFFICIENT_SIZE, "Insufficient Size"},
    {NVML_ERROR_DRIVER_NOT_LOADED, "Driver Not Loaded"},
    {NVML_ERROR_TIMEOUT, "Timeout"},
    {NVML_ERROR_GPU_IS_LOST, "GPU is lost"},
    {NVML_ERROR_RESET_REQUIRED, "GPU requires reset"},
    {NVML_ERROR_OPERATING_SYSTEM, "GPU access blocked by the operating system"},
    {NVML_ERROR_LIB_RM_VERSION_MISMATCH, "Driver/library version mismatch"},
    {NVML_ERROR_IN_USE, "In use by another client"},
    {NVML_ERROR_MEMORY, "Insufficient Memory"},
    {NVML_ERROR_NO_DATA, "No data"},
    {NVML_ERROR_INSUFFICIENT_RESOURCES, "Insufficient Resources"},
    {NVML_ERROR_ARGUMENT_VERSION_MISMATCH, "Argument version mismatch"},
};

EXPORT const char *nvmlErrorString(nvmlReturn_t code);
EXPORT const char *nvmlErrorString(nvmlReturn_t code) {
    for (unsigned i = 0; i < sizeof messages / sizeof *messages; i++)
        if (messages[i].code == code)
            return messages[i].text;
    return "Unknown Error";
}
