// attack: touch memory page by page without end
// contained: the box's memory limit
// expect: memory_limit_exceeded

#include <stdlib.h>
#include <string.h>
int main(void) {
    for (volatile char *block; (block = malloc(1 << 20));)
        for (int at = 0; at < 1 << 20; at += 4096) block[at] = 1;
}
