// attack: begin with a NUL, so that the output looks empty
// contained: all bytes count
// expect: ok
// verdict: wrong_answer
// expected: 7
// checker: lines

#include <unistd.h>
int main(void) { write(1, "\0007\n", 3); return 0; }
