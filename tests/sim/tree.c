/* Writing the capabilities tree. Every step may be the last before a kill: the tree counts as
 * up to date only when shared.tree_geometry says so, and all of it is made again until then. */
#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 4400 };

/* Readable by all, as /proc is, whatever the caller's umask. */
static bool make_dir(const char *path) {
    return mkdir(path, 0755) == 0 ? chmod(path, 0755) == 0 : errno == EEXIST;
}

static bool same_text(const char *path, const char *text) {
    char found[256];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t length = read(fd, found, sizeof found);
    close(fd);
    return length == (ssize_t)strlen(text) && memcmp(found, text, strlen(text)) == 0;
}

/* The numbers follow from the driver's static table: nv-caps.c of the open kernel modules. */
static unsigned gi_minor(unsigned gpu_minor, unsigned gi) { return 3 + 135 * gpu_minor + 9 * gi; }

static bool write_access(const char *dir, unsigned minor) {
    char path[PATH_SIZE], draft[PATH_SIZE], text[128];
    snprintf(path, sizeof path, "%s/access", dir);
    snprintf(draft, sizeof draft, "%s/.access", dir);
    /* 292 is 0444: every user may open an instance; the device cgroup is what stops him. */
    snprintf(text, sizeof text,
             "DeviceFileMinor: %u\nDeviceFileMode: 292\nDeviceFileModify: 1\n", minor);
    if (same_text(path, text))
        return true;
    int fd = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0444);
    if (fd < 0)
        return false;
    bool written = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    fchmod(fd, 0444);
    close(fd);
    return written && rename(draft, path) == 0;
}

static void remove_instance(const char *dir) {
    char path[PATH_SIZE + 300];
    DIR *listing = opendir(dir);
    for (struct dirent *entry; listing != NULL && (entry = readdir(listing)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        if (unlink(path) == 0)
            continue;
        char inner[PATH_SIZE + 320];
        snprintf(inner, sizeof inner, "%s/access", path);
        unlink(inner);
        snprintf(inner, sizeof inner, "%s/.access", path);
        unlink(inner);
        rmdir(path);
    }
    if (listing != NULL)
        closedir(listing);
    rmdir(dir);
}

static bool sync_ci(const char *gi_dir, const struct ms_gi *gi, unsigned gi_number, unsigned ci) {
    char dir[PATH_SIZE];
    snprintf(dir, sizeof dir, "%.4200s/ci%u", gi_dir, ci);
    if (gi->ci[ci].used)
        return make_dir(dir) && write_access(dir, gi_number + 1 + ci);
    remove_instance(dir);
    return true;
}

static bool sync_gi(const char *mig_dir, const struct ms_gi *gi, unsigned gpu_minor, unsigned id) {
    char dir[PATH_SIZE];
    snprintf(dir, sizeof dir, "%.4200s/gi%u", mig_dir, id);
    if (!gi->used) {
        remove_instance(dir);
        return true;
    }
    unsigned number = gi_minor(gpu_minor, id);
    bool good = make_dir(dir) && write_access(dir, number);
    for (unsigned ci = 0; ci < MS_MAX_CIS; ci++)
        good = sync_ci(dir, gi, number, ci) && good;
    return good;
}

static bool sync_gpu(const struct ms_world *w, unsigned gpu) {
    if (!ms_model_of(w, gpu)->mig)
        return true;
    unsigned minor = w->fixed->gpus[gpu].minor;
    char dir[PATH_SIZE];
    snprintf(dir, sizeof dir, "%.4000s/root/proc/driver/nvidia/capabilities/gpu%u",
             w->file->dir, minor);
    if (!make_dir(dir))
        return false;
    strcat(dir, "/mig");
    if (!make_dir(dir))
        return false;
    bool good = true;
    for (unsigned id = 0; id < MS_MAX_GIS; id++)
        good = sync_gi(dir, &w->live->gpus[gpu].gi[id], minor, id) && good;
    return good;
}

void ms_tree_sync(struct ms_world *w) {
    struct ms_shared *shared = &w->file->image->shared;
    if (shared->tree_geometry == w->live->geometry)
        return;
    bool good = true;
    for (unsigned gpu = 0; gpu < w->fixed->n_gpus; gpu++)
        good = sync_gpu(w, gpu) && good;
    if (good)
        shared->tree_geometry = w->live->geometry;
}
