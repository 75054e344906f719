/* Mapping, locking and committing the state file. */
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "process.h"
#include "tree.h"

/* flock() is held by the open file, so threads of one process need a lock of their own. */
static pthread_mutex_t threads = PTHREAD_MUTEX_INITIALIZER;

static void child_after_fork(void) {
    /* Another thread of the parent may have held it; that thread does not exist here. */
    pthread_mutex_init(&threads, NULL);
}

__attribute__((constructor)) static void watch_forks(void) {
    pthread_atfork(NULL, NULL, child_after_fork);
}

static int open_in(const char *dir, const char *name, int flags) {
    char path[PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return open(path, flags | O_CLOEXEC, 0666);
}

nvmlReturn_t ms_open(const char *dir, struct ms_file *file) {
    char real[PATH_MAX];
    memset(file, 0, sizeof *file);
    file->lock_fd = file->dir_fd = -1;
    if (dir == NULL || realpath(dir, real) == NULL || strlen(real) >= sizeof file->dir)
        return NVML_ERROR_DRIVER_NOT_LOADED;
    strcpy(file->dir, real);
    int fd = open_in(real, "state", O_RDWR);
    if (fd < 0)
        return NVML_ERROR_DRIVER_NOT_LOADED;
    struct stat found;
    if (fstat(fd, &found) != 0 || found.st_size != (off_t)sizeof(struct ms_image)) {
        close(fd);
        return NVML_ERROR_LIB_RM_VERSION_MISMATCH;
    }
    struct ms_image *image =
        mmap(NULL, sizeof *image, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (image == MAP_FAILED)
        return NVML_ERROR_OPERATING_SYSTEM;
    if (image->magic != MS_MAGIC || image->version != MS_VERSION ||
        image->size != sizeof *image) {
        munmap(image, sizeof *image);
        return NVML_ERROR_LIB_RM_VERSION_MISMATCH;
    }
    file->image = image;
    file->dir_fd = open(real, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return NVML_SUCCESS;
}

void ms_close(struct ms_file *file) {
    if (file->lock_fd >= 0)
        close(file->lock_fd);
    if (file->dir_fd >= 0)
        close(file->dir_fd);
    if (file->image != NULL)
        munmap(file->image, sizeof *file->image);
    memset(file, 0, sizeof *file);
    file->lock_fd = file->dir_fd = -1;
}

/* Makes the file under another name first: nobody may map half a state. */
nvmlReturn_t ms_create(const char *dir, const struct ms_fixed *fixed) {
    char draft[4200], final[4200];
    snprintf(draft, sizeof draft, "%s/state.new", dir);
    snprintf(final, sizeof final, "%s/state", dir);
    int fd = open(draft, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0 || ftruncate(fd, sizeof(struct ms_image)) != 0)
        goto failed;
    struct ms_image *image =
        mmap(NULL, sizeof *image, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (image == MAP_FAILED)
        goto failed;
    image->magic = MS_MAGIC;
    image->version = MS_VERSION;
    image->size = sizeof *image;
    image->fixed = *fixed;
    image->live[0].geometry = 1; /* the tree shows 0: it is written at the first chance */
    for (unsigned i = 0; i < fixed->n_gpus; i++)
        image->live[0].gpus[i].persistence = 1;
    munmap(image, sizeof *image);
    fchmod(fd, 0666); /* jobs of any user appear in the process list */
    close(fd);
    int lock = open_in(dir, "lock", O_RDWR | O_CREAT);
    if (lock >= 0) {
        fchmod(lock, 0666);
        close(lock);
    }
    return rename(draft, final) == 0 ? NVML_SUCCESS : NVML_ERROR_OPERATING_SYSTEM;
failed:
    if (fd >= 0)
        close(fd);
    return NVML_ERROR_OPERATING_SYSTEM;
}

uint64_t ms_now(const struct ms_file *file) {
    const struct ms_shared *shared = &file->image->shared;
    int64_t clock_ns = __atomic_load_n(&shared->clock_ns, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&shared->frozen, __ATOMIC_SEQ_CST))
        return (uint64_t)clock_ns;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)(now.tv_sec * 1000000000ll + now.tv_nsec + clock_ns);
}

/* A forked child shares its parent's open file, and with it the lock: it opens its own. By the
 * open folder: the process may have changed its root, its user or its folder since. */
static bool lock_file(struct ms_file *file, int how) {
    if (file->lock_fd >= 0 && file->pid != getpid()) {
        close(file->lock_fd);
        file->lock_fd = -1;
    }
    if (file->lock_fd < 0) {
        file->lock_fd = openat(file->dir_fd, "lock", O_RDWR | O_CLOEXEC);
        file->pid = getpid();
    }
    int result;
    do
        result = file->lock_fd < 0 ? -1 : flock(file->lock_fd, how);
    while (result != 0 && errno == EINTR);
    return result == 0;
}

static void look(struct ms_file *file, struct ms_world *world) {
    world->file = file;
    world->fixed = &file->image->fixed;
    world->live = &file->image->live[file->image->current & 1];
    world->now_ns = ms_now(file);
}

static bool needs_repair(const struct ms_world *world) {
    return world->file->image->shared.tree_geometry != world->live->geometry ||
           ms_any_dead(world);
}

nvmlReturn_t ms_begin_read(struct ms_file *file, struct ms_world *world) {
    pthread_mutex_lock(&threads);
    if (!lock_file(file, LOCK_SH)) {
        pthread_mutex_unlock(&threads);
        return NVML_ERROR_OPERATING_SYSTEM;
    }
    look(file, world);
    if (!needs_repair(world))
        return NVML_SUCCESS;
    /* A killed process left the tree behind the state, or itself in the process list. */
    ms_end_read(world);
    nvmlReturn_t result = ms_begin_write(file, world);
    if (result != NVML_SUCCESS)
        return result;
    ms_end_write(world, true);
    pthread_mutex_lock(&threads);
    if (!lock_file(file, LOCK_SH)) {
        pthread_mutex_unlock(&threads);
        return NVML_ERROR_OPERATING_SYSTEM;
    }
    look(file, world);
    return NVML_SUCCESS;
}

void ms_end_read(struct ms_world *world) {
    flock(world->file->lock_fd, LOCK_UN);
    pthread_mutex_unlock(&threads);
}

nvmlReturn_t ms_begin_write(struct ms_file *file, struct ms_world *world) {
    pthread_mutex_lock(&threads);
    if (!lock_file(file, LOCK_EX)) {
        pthread_mutex_unlock(&threads);
        return NVML_ERROR_OPERATING_SYSTEM;
    }
    look(file, world);
    struct ms_live *draft = &file->image->live[1 - (file->image->current & 1)];
    *draft = *world->live;
    world->live = draft;
    ms_drop_dead(world);
    return NVML_SUCCESS;
}

void ms_end_write(struct ms_world *world, bool commit) {
    struct ms_image *image = world->file->image;
    if (commit)
        __atomic_store_n(&image->current, 1 - (image->current & 1), __ATOMIC_SEQ_CST);
    look(world->file, world);
    ms_tree_sync(world);
    ms_end_read(world);
}
