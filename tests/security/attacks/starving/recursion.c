// attack: recurse without end over a stack as large as the memory
// contained: the stack's limit is the memory limit
// expect: runtime_error, memory_limit_exceeded

int deeper(volatile char *from) {
    volatile char here[4096];
    here[0] = from ? from[0] : 1;
    return deeper(here) + here[0];
}
int main(void) { return deeper(0); }
