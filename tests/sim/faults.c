/* Failures on demand. The counters live in the shared part and change by atomics only. */
#include "faults.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static bool matches(const struct ms_fault *fault, const char *call, enum ms_when when) {
    return __atomic_load_n(&fault->used, __ATOMIC_ACQUIRE) && fault->when == when &&
           (fault->pid == 0 || fault->pid == (uint32_t)getpid()) &&
           (strcmp(fault->call, "*") == 0 || strcmp(fault->call, call) == 0);
}

static bool due(struct ms_fault *fault) {
    uint64_t before = __atomic_fetch_add(&fault->seen, 1, __ATOMIC_SEQ_CST);
    return before == fault->after || (before > fault->after && !fault->once);
}

static void hang(unsigned ms) {
    struct timespec rest = {ms / 1000, (long)(ms % 1000) * 1000000};
    while (nanosleep(&rest, &rest) != 0)
        ;
}

nvmlReturn_t ms_fault_point(struct ms_file *file, const char *call, enum ms_when when) {
    struct ms_shared *shared = &file->image->shared;
    if (__atomic_load_n(&shared->n_faults, __ATOMIC_ACQUIRE) == 0)
        return NVML_SUCCESS;
    nvmlReturn_t result = NVML_SUCCESS;
    for (unsigned i = 0; i < MS_MAX_FAULTS; i++) {
        struct ms_fault *fault = &shared->faults[i];
        if (!matches(fault, call, when) || !due(fault))
            continue;
        if (fault->kill) {
            ms_trace(file, call, when == MS_BEFORE ? "killed-before" : "killed-after");
            kill(getpid(), SIGKILL);
        }
        hang(fault->hang_ms);
        if (result == NVML_SUCCESS)
            result = fault->code;
    }
    return result;
}

void ms_trace(const struct ms_file *file, const char *call, const char *result) {
    const char *path = getenv("MIGSIM_TRACE");
    if (path == NULL || *path == '\0')
        path = file->image->shared.trace;
    if (*path == '\0')
        return;
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return;
    char line[160];
    int length = snprintf(line, sizeof line, "%d %s %s\n", (int)getpid(), call, result);
    if (write(fd, line, (size_t)length) != length) {
        /* A trace that cannot be written must not change what the call answers. */
    }
    close(fd);
}

void ms_trace_code(const struct ms_file *file, const char *call, nvmlReturn_t code) {
    char text[16];
    snprintf(text, sizeof text, "%d", code);
    ms_trace(file, call, text);
}
