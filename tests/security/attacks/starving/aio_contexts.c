// attack: use up the machine-wide number of asynchronous I/O requests
// contained: the filter refuses the call
// expect: ok
// stdout: contained

#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void) {
    unsigned long context = 0;
    puts(syscall(SYS_io_setup, 65536, &context) == 0 ? "ESCAPED: took the machine's aio" : "contained");
}
