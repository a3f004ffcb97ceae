/* From outside a JVM: has the file $LIBRARY mapped, a thread of its own, and the file $HELD open; waits, with
   $LEADERLESS in that thread alone: then the kernel shows nothing of the process but its threads.
   Usage: LIBRARY=~/libjvm.so HELD=~/jenkins.war exec -a java ./lookalike ARGUMENTS */
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static void *idle(void *none) {
    for (;;) pause();
    return none;
}

int main(void) {
    pthread_t thread;
    if (getenv("LIBRARY"))
        mmap(0, 4096, PROT_READ, MAP_PRIVATE, open(getenv("LIBRARY"), O_RDONLY), 0);
    if (getenv("HELD"))
        open(getenv("HELD"), O_RDONLY);
    pthread_create(&thread, 0, idle, 0);
    if (getenv("LEADERLESS"))
        syscall(SYS_exit, 0);
    idle(0);
}
