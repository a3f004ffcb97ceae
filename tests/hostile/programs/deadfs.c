/* A file system that never answers. Usage, as root: deadfs FOLDER deaf|mute|half
 * deaf: requests are never read, so who waits for one can be killed, as with a dead NFS server.
 * mute: they are read and never answered, so who waits for one cannot be killed at all.
 * half: its root folder answers, nothing in it does.
 * It ends with this process. */
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static char request[1 << 17];

static void answer(int device, uint64_t unique, const void *body, size_t size) {
    char reply[512];
    struct fuse_out_header head = {sizeof head + size, 0, unique};
    memcpy(reply, &head, sizeof head);
    memcpy(reply + sizeof head, body, size);
    if (write(device, reply, sizeof head + size) < 0) perror("answer");
}

int main(int count, char **words) {
    char options[128];
    if (count != 3) return 2;
    mknod("/dev/fuse", S_IFCHR | 0600, makedev(10, 229));
    int device = open("/dev/fuse", O_RDWR);
    snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", device);
    if (device < 0 || mount("dead", words[1], "fuse", 0, options)) {
        perror("deadfs");
        return 1;
    }
    daemon(0, 0);
    while (strcmp(words[2], "deaf") && read(device, request, sizeof request) > 0) {
        struct fuse_in_header *head = (void *)request;
        if (head->opcode == FUSE_INIT) {
            struct fuse_init_out out = {.major = 7, .minor = 31, .max_write = 1 << 16};
            answer(device, head->unique, &out, sizeof out);
        } else if (head->opcode == FUSE_GETATTR && head->nodeid == 1 && !strcmp(words[2], "half")) {
            struct fuse_attr_out out = {.attr = {.ino = 1, .mode = S_IFDIR | 0755, .nlink = 2}};
            answer(device, head->unique, &out, sizeof out);
        }
    }
    for (;;) pause();
}
