/* Waits; with argv[0] "java" it looks like a JVM to whom believes names. Usage: exec -a java ./pause ARGUMENTS */
#include <unistd.h>

int main(void) {
    for (;;) pause();
}
