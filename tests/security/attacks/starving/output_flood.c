// attack: ten gigabytes of output
// contained: the program is killed at the output limit, and nothing beyond it is kept
// expect: output_limit_exceeded

#include <unistd.h>
static char block[1 << 20];
int main(void) { for (long i = 0; i < 10240; i++) write(1, block, sizeof block); }
