/* lines.c: a program that answers each line of its input, for test_session_c.py. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>

__attribute__((export_name("wamr_restored"))) void
reseed(void)
{
    unsigned seed;
    getentropy(&seed, sizeof seed);
    srand(seed);
}

/* Waits for input or 50 ms, as an event loop with a timer does. */
static int
ticks(void)
{
    int count = 0;
    for (;;) {
        struct timeval time = {0, 50000};
        fd_set set;
        FD_ZERO(&set);
        FD_SET(0, &set);
        if (select(1, &set, NULL, NULL, &time) > 0)
            return count;
        count++;
    }
}

int
main(int argc, char **argv)
{
    char line[100];

    reseed();
    printf("hello %s\n", argc > 1 ? argv[1] : "nobody");
    fprintf(stderr, "log\n");
    while (fgets(line, sizeof line, stdin)) {
        if (!strcmp(line, "random\n"))
            printf("%d\n", rand());
        else if (!strcmp(line, "ticks\n")) {
            printf("waiting\n");
            fflush(stdout);
            printf("%d\n", ticks());
        } else
            printf("you said %s", line);
        fflush(stdout);
    }
    puts("the end");
    return 3;
}
