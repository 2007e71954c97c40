// attack: the 32-bit entry point, whose numbers mean different calls
// contained: a call of another architecture ends the program
// expect: runtime_error

#include <stdio.h>
#include <stdlib.h>
int main(void) {
#ifdef __x86_64__
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory");
    printf("ESCAPED: pid %ld\n", result);
    return 0;
#endif
    abort();
}
