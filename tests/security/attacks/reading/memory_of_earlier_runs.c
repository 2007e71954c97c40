// attack: search uninitialised heap and stack for the stdin of an earlier run
// contained: pages come to a process zeroed by the kernel, and the zygote never held them
// expect: ok
// victim: true
// stdout: contained

#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(void) {
    char token[] = "rdbqds,ne,`m,d`qkhdq,qtm";
    for (char *c = token; *c; c++) ++*c;
    char stack[1 << 18];
    char *heap = malloc(32 << 20);
    if (memmem(stack, sizeof stack, token, sizeof token - 1)) puts("ESCAPED: on the stack");
    for (size_t i = 0; i < (32u << 20); i++)
        if (heap[i]) { puts("ESCAPED: on the heap"); break; }
    puts("contained");
}
