// attack: turn the output pipe into packets of one byte, each of which the worker has to read by itself
// contained: the stored output is only as large as what was written
// expect: ok, time_limit_exceeded, output_limit_exceeded
// limits: {"output_kb": 4096}

#define _GNU_SOURCE
#include <fcntl.h>
#include <unistd.h>
int main(void) {
    fcntl(1, F_SETFL, O_DIRECT);
    for (int i = 0; i < 100000; i++) write(1, "x", 1);
}
